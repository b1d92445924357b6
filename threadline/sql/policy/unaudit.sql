-- Stops auditing a table. What was recorded stays and can be read as before.
CREATE FUNCTION threadline.unaudit(target regclass) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_id integer;
BEGIN
    IF (SELECT relispartition FROM pg_class WHERE oid = target) THEN
        RAISE EXCEPTION 'threadline: % is a partition and audited through its parent; stop that with SELECT threadline.unaudit(''%'')',
            target, pg_partition_root(target);
    END IF;
    LOCK TABLE threadline.audited_tables IN SHARE ROW EXCLUSIVE MODE;
    tl_id := threadline.audited_table_of(target);
    IF tl_id IS NULL THEN
        RETURN;
    END IF;
    -- The triggers depend on the function, those on partitions included.
    EXECUTE format('DROP FUNCTION threadline.capture_%1$s(), threadline.capture_%1$s_statement() CASCADE', tl_id);
    UPDATE threadline.audited_tables SET unaudited_at = now() WHERE id = tl_id;
END
$$;
