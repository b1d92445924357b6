-- Returns whether a write must not be recorded: capture is suspended, or the trigger that fired
-- is not the one that threadline.audit() created. A trigger that was copied to another table with
-- a schema, or created by hand, records nothing, because the write was not on the audited table;
-- threadline.table_drift() reports it.
CREATE OR REPLACE FUNCTION threadline.withheld(audited_table integer, target oid, trigger_name name, built_for oid) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_captured oid := threadline.captured_relation(audited_table, built_for);
BEGIN
    IF trigger_name NOT IN ('!threadline_capture_' || audited_table, '!threadline_truncate_' || audited_table)
       OR target <> tl_captured AND NOT EXISTS (
           SELECT FROM pg_partition_ancestors(target) AS ancestor WHERE ancestor.relid = tl_captured)
    THEN
        RETURN true;
    END IF;
    IF threadline.suspended() THEN
        PERFORM threadline.note_suspended(audited_table);
        RETURN true;
    END IF;
    RETURN false;
END
$$;
