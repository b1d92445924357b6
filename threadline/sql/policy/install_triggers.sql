-- Puts the capture triggers on a table and, for TRUNCATE, on its partitions:
-- row triggers reach partitions by themselves, statement triggers do not.
-- ENABLE ALWAYS, so that rows applied by logical replication are recorded.
-- '!' sorts before letters: for each row capture fires before the table's other
-- AFTER triggers, so that what they write to that row in turn is recorded after.
CREATE FUNCTION threadline.install_triggers(audited_table integer, target regclass) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_part regclass;
BEGIN
    EXECUTE format(
        'CREATE OR REPLACE TRIGGER "!threadline_capture" AFTER INSERT OR UPDATE OR DELETE ON %s '
        'FOR EACH ROW EXECUTE FUNCTION threadline.capture_%s()', target, audited_table);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER "!threadline_capture"', target);
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
