-- Sets the retention and the subjects of a table to those of a policy; the rest of its own stays.
CREATE OR REPLACE FUNCTION threadline.set_terms(target regclass, policy jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off AS $$
DECLARE
    tl_former jsonb;
    tl_table threadline.audited_tables;
BEGIN
    SELECT * INTO STRICT tl_table FROM threadline.audited_tables AS t WHERE t.id = threadline.audited_table_of(target);
    PERFORM threadline.require_handed_over(target);
    PERFORM threadline.check_keep(target, policy ->> 'keep');
    PERFORM threadline.check_personal(target, policy, ARRAY(
        SELECT k.name FROM jsonb_to_recordset(tl_table.columns) AS k (name text, column_policy text) WHERE k.column_policy <> 'plain'));
    tl_former := tl_table.policy;
    UPDATE threadline.audited_tables AS t
    SET policy = t.policy - '{keep,personal,subject}'::text[] || coalesce((
            SELECT jsonb_object_agg(option.key, option.value)
            FROM jsonb_each(set_terms.policy) AS option
            WHERE option.key IN ('keep', 'personal', 'subject')), '{}'),
        personal_data = threadline.personal_data(t.id, target, set_terms.policy)
    WHERE t.id = tl_table.id
    RETURNING * INTO tl_table;
    PERFORM threadline.own_action('audit.policy_changed',
        jsonb_build_object('table', target, 'table_id', tl_table.id, 'policy', tl_table.policy, 'former_policy', tl_former));
END
$$;
REVOKE ALL ON FUNCTION threadline.set_terms(regclass, jsonb) FROM PUBLIC;
