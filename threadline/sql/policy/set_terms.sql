-- Sets the retention and the subjects of a table; the rest of its policy stays.
CREATE OR REPLACE FUNCTION threadline.set_terms(target regclass, keep text, personal text[], subject jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_former jsonb;
    tl_table threadline.audited_tables;
BEGIN
    SELECT * INTO STRICT tl_table FROM threadline.audited_tables AS t WHERE t.id = threadline.audited_table_of(target);
    PERFORM threadline.require_handed_over(target);
    PERFORM threadline.check_keep(target, keep);
    PERFORM threadline.check_personal(target, personal, subject, ARRAY(
        SELECT k.name FROM jsonb_to_recordset(tl_table.columns) AS k (name text, column_policy text) WHERE k.column_policy <> 'plain'));
    tl_former := tl_table.policy;
    UPDATE threadline.audited_tables AS t
    SET policy = t.policy - '{keep,personal,subject}'::text[]
            || threadline.policy('{}', '{}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, set_terms.keep, set_terms.personal, set_terms.subject) - '{mask,exclude}'::text[],
        personal_data = threadline.personal_data(t.id, target, set_terms.personal, set_terms.subject)
    WHERE t.id = tl_table.id
    RETURNING * INTO tl_table;
    PERFORM threadline.own_action('audit.policy_changed',
        jsonb_build_object('table', target, 'table_id', tl_table.id, 'policy', tl_table.policy, 'former_policy', tl_former));
END
$$;
REVOKE ALL ON FUNCTION threadline.set_terms(regclass, text, text[], jsonb) FROM PUBLIC;
