-- Fires capture on a table and its partitions.
--
-- An ordinary table has statement triggers. Where these do not suffice, a row
-- trigger takes over: what logical replication applies fires no statement
-- trigger, nor does what is written through its parent to a table that became a
-- partition. The WHEN clause decides it, for nearly nothing.
--
-- Partitioned tables, those with ancestors or heirs, and those with a condition
-- have row triggers alone: PostgreSQL makes them for each partition that comes, and
-- they fire wherever a row is written from. '!' sorts before letters: for each row capture fires
-- before the table's other AFTER triggers, so that what they write to that row in
-- turn is recorded after.
CREATE FUNCTION threadline.install_triggers(audited_table integer, target regclass) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_policy jsonb := (SELECT t.policy FROM threadline.audited_tables AS t WHERE t.id = audited_table);
    tl_operations text[] := ARRAY(
        SELECT o
        FROM unnest(ARRAY['insert', 'update', 'delete', 'truncate']) AS o
        WHERE coalesce(tl_policy -> 'operations' ? o, true));
    tl_condition text := tl_policy ->> 'condition';
    tl_by_statement boolean := tl_condition IS NULL AND threadline.captures_by_statement(target);
    tl_operation text;
    tl_part regclass;
BEGIN
    EXECUTE format(
        'CREATE OR REPLACE TRIGGER "!threadline_capture" AFTER %s ON %s '
        'FOR EACH ROW %s EXECUTE FUNCTION threadline.capture_%s()',
        array_to_string(array_remove(tl_operations, 'truncate'), ' OR '),
        target,
        CASE WHEN tl_by_statement THEN format(
            'WHEN (pg_partition_root(%L::regclass) IS NOT NULL OR current_setting(''session_replication_role'') = ''replica'')',
            target)
        ELSE 'WHEN (' || tl_condition || ')' END,
        audited_table);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER "!threadline_capture"', target);
    IF tl_by_statement THEN
        FOREACH tl_operation IN ARRAY array_remove(tl_operations, 'truncate') LOOP
            EXECUTE format(
                'CREATE TRIGGER "!threadline_%1$s" AFTER %1$s ON %2$s REFERENCING %3$s '
                'FOR EACH STATEMENT EXECUTE FUNCTION threadline.capture_%4$s_statement()',
                tl_operation, target,
                CASE tl_operation
                    WHEN 'insert' THEN 'NEW TABLE AS tl_new'
                    WHEN 'update' THEN 'OLD TABLE AS tl_old NEW TABLE AS tl_new'
                    WHEN 'delete' THEN 'OLD TABLE AS tl_old' END,
                audited_table);
        END LOOP;
    END IF;
    FOR tl_part IN
        SELECT target
        UNION
        SELECT p.relid FROM pg_partition_tree(target) AS p JOIN pg_class AS c ON c.oid = p.relid WHERE c.relkind IN ('r', 'p')
    LOOP
        EXIT WHEN 'truncate' <> ALL (tl_operations);
        EXECUTE format(
            'CREATE OR REPLACE TRIGGER "!threadline_truncate" BEFORE TRUNCATE ON %s '
            'FOR EACH STATEMENT EXECUTE FUNCTION threadline.capture_%s()', tl_part, audited_table);
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER "!threadline_truncate"', tl_part);
    END LOOP;
END
$$;
