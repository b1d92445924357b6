-- Whether a write is not to be recorded: capture is suspended, or the trigger that
-- fired is not the one that threadline.audit() made. A trigger that was copied to
-- another table with a schema, or put there by hand, records nothing, because what
-- happens there did not happen here; threadline.table_drift() names it.
CREATE FUNCTION threadline.withheld(audited_table integer, target oid, trigger_name name, built_for oid) RETURNS boolean
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_captured oid := threadline.captured_relation(audited_table, built_for);
BEGIN
    IF trigger_name NOT IN ('!threadline_capture_' || audited_table, '!threadline_truncate_' || audited_table)
       OR target <> tl_captured AND NOT EXISTS (
           SELECT FROM pg_partition_ancestors(target) AS ancestor WHERE ancestor.relid = tl_captured)
    THEN
        RETURN true;
    END IF;
    RETURN threadline.suspended();
END
$$;
