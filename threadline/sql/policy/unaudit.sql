-- Stops auditing a table. What was recorded stays and can be read as before.
CREATE FUNCTION threadline.unaudit(target regclass) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
BEGIN
    IF (SELECT relispartition FROM pg_class WHERE oid = target) AND threadline.audited_table_of(target) IS NULL THEN
        RAISE EXCEPTION 'threadline: % is a partition and audited through its parent; stop that with SELECT threadline.unaudit(''%'')',
            target, pg_partition_root(target);
    END IF;
    PERFORM threadline.lock_policies();
    IF threadline.audited_table_of(target) IS NULL THEN
        RETURN;
    END IF;
    PERFORM threadline.hand_over(target);
    PERFORM threadline.end_audit(target);
    PERFORM threadline.take_back(target, 'all');
END
$$;
