-- Whether a write is not to be recorded, because capture is suspended. Fails for a
-- trigger that somebody put on another table than the one the capture function was
-- built for, or its partitions: what happens there did not happen here. The one for
-- TRUNCATE stays on a partition that was detached, and is silent.
CREATE FUNCTION threadline.withheld(audited_table integer, target oid, built_for oid, operation text) RETURNS boolean
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_captured oid := threadline.captured_relation(audited_table, built_for);
BEGIN
    IF target NOT IN (built_for, tl_captured) AND NOT EXISTS (
        SELECT FROM pg_partition_ancestors(target) AS ancestor WHERE ancestor.relid IN (built_for, tl_captured)
    ) THEN
        IF operation = 'TRUNCATE' THEN
            RETURN true;
        END IF;
        RAISE EXCEPTION 'threadline: a trigger of table % calls the capture function of %; drop it, and audit the table with SELECT threadline.audit(''%'')',
            target::regclass, tl_captured::regclass, target::regclass
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN threadline.suspended();
END
$$;
