-- Stops auditing a table. What was recorded stays readable. The triggers are disabled and not
-- dropped: dropping them would block readers, and they identify the table when it is audited
-- again, also under another name.
CREATE OR REPLACE FUNCTION threadline.unaudit(target regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_trigger record;
    tl_id integer;
BEGIN
    IF (SELECT relispartition FROM pg_class WHERE oid = target) AND threadline.audited_table_of(target) IS NULL THEN
        RAISE EXCEPTION 'threadline: % is a partition and audited through its parent; stop that with SELECT threadline.unaudit(''%'')',
            target, pg_partition_root(target);
    END IF;
    PERFORM threadline.lock_policies();
    tl_id := threadline.audited_table_of(target);
    IF tl_id IS NULL THEN
        RETURN;
    END IF;
    -- First, so that threadline.watch() recognizes it.
    PERFORM threadline.hand_over(target);
    PERFORM threadline.end_audit(target);
    FOR tl_trigger IN
        SELECT g.tgrelid::regclass AS relation, g.tgname AS name
        FROM pg_trigger AS g
        WHERE g.tgfoid = to_regproc('threadline.capture_' || tl_id) AND g.tgparentid = 0
          AND (g.tgrelid = target OR g.tgrelid IN (SELECT p.relid FROM pg_partition_tree(target) AS p))
    LOOP
        EXECUTE format('ALTER TABLE %s DISABLE TRIGGER %I', tl_trigger.relation, tl_trigger.name);
    END LOOP;
    PERFORM threadline.take_back(target, 'all');
END
$$;
