-- Sets how long the changes of a table are kept, of which everything else stays as it was
-- decided.
CREATE FUNCTION threadline.set_keep(target regclass, keep text) RETURNS void
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
    tl_former := tl_table.policy;
    UPDATE threadline.audited_tables AS t
    SET policy = t.policy - 'keep' || jsonb_strip_nulls(jsonb_build_object('keep', set_keep.keep))
    WHERE t.id = tl_table.id
    RETURNING * INTO tl_table;
    PERFORM threadline.own_action('audit.policy_changed',
        jsonb_build_object('table', target, 'table_id', tl_table.id, 'policy', tl_table.policy, 'former_policy', tl_former));
END
$$;
REVOKE ALL ON FUNCTION threadline.set_keep(regclass, text) FROM PUBLIC;
