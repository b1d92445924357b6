-- Fails for a relation that cannot be audited.
CREATE OR REPLACE FUNCTION threadline.check_auditable(target regclass) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_class pg_class;
    tl_schema text;
BEGIN
    SELECT * INTO STRICT tl_class FROM pg_class WHERE oid = target;
    SELECT nspname INTO STRICT tl_schema FROM pg_namespace WHERE oid = tl_class.relnamespace;
    IF tl_class.relispartition THEN
        RAISE EXCEPTION 'threadline: % is a partition; audit its parent, which covers all partitions: SELECT threadline.audit(''%'')',
            target, pg_partition_root(target);
    ELSIF tl_class.relkind NOT IN ('r', 'p') THEN
        RAISE EXCEPTION 'threadline: % is not a table; audit the tables that it shows', target;
    ELSIF tl_class.relpersistence = 't' THEN
        RAISE EXCEPTION 'threadline: % is a temporary table, which cannot be audited', target;
    ELSIF tl_schema IN ('threadline', 'pg_catalog', 'information_schema') THEN
        RAISE EXCEPTION 'threadline: % belongs to schema %, which cannot be audited', target, tl_schema;
    END IF;
END
$$;
