-- Fires capture on a table and its partitions.
--
-- An ordinary table has statement triggers. Where these do not suffice, a row
-- trigger takes over: what logical replication applies fires no statement
-- trigger, nor does what is written through its parent to a table that became a
-- partition. The WHEN clause decides it, for nearly nothing.
--
-- Partitioned tables, and those with ancestors or heirs, have row triggers alone:
-- PostgreSQL makes them for each partition that comes, and they fire wherever a
-- row is written from. '!' sorts before letters: for each row capture fires
-- before the table's other AFTER triggers, so that what they write to that row in
-- turn is recorded after.
CREATE FUNCTION threadline.install_triggers(audited_table integer, target regclass) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_by_statement boolean := threadline.captures_by_statement(target);
    tl_part regclass;
BEGIN
    EXECUTE format(
        'CREATE OR REPLACE TRIGGER "!threadline_capture" AFTER INSERT OR UPDATE OR DELETE ON %s '
        'FOR EACH ROW %s EXECUTE FUNCTION threadline.capture_%s()',
        target,
        CASE WHEN tl_by_statement THEN format(
            'WHEN (pg_partition_root(%L::regclass) IS NOT NULL OR current_setting(''session_replication_role'') = ''replica'')',
            target) END,
        audited_table);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER "!threadline_capture"', target);
    IF tl_by_statement THEN
        EXECUTE format(
            'CREATE TRIGGER "!threadline_insert" AFTER INSERT ON %1$s '
            'REFERENCING NEW TABLE AS tl_new '
            'FOR EACH STATEMENT EXECUTE FUNCTION threadline.capture_%2$s_statement();'
            'CREATE TRIGGER "!threadline_update" AFTER UPDATE ON %1$s '
            'REFERENCING OLD TABLE AS tl_old NEW TABLE AS tl_new '
            'FOR EACH STATEMENT EXECUTE FUNCTION threadline.capture_%2$s_statement();'
            'CREATE TRIGGER "!threadline_delete" AFTER DELETE ON %1$s '
            'REFERENCING OLD TABLE AS tl_old '
            'FOR EACH STATEMENT EXECUTE FUNCTION threadline.capture_%2$s_statement();',
            target, audited_table);
    END IF;
    FOR tl_part IN
        SELECT target
        UNION
        SELECT p.relid FROM pg_partition_tree(target) AS p JOIN pg_class AS c ON c.oid = p.relid WHERE c.relkind IN ('r', 'p')
    LOOP
        EXECUTE format(
            'CREATE OR REPLACE TRIGGER "!threadline_truncate" BEFORE TRUNCATE ON %s '
            'FOR EACH STATEMENT EXECUTE FUNCTION threadline.capture_%s()', tl_part, audited_table);
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER "!threadline_truncate"', tl_part);
    END LOOP;
END
$$;
