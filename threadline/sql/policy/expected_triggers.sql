-- Returns the triggers that capture a table and its partitions, each as PostgreSQL shows it, so
-- that the installed triggers can be compared. Those that PostgreSQL creates on partitions are
-- `inherited`.
--
-- Rows are captured one by one: so an old row and its new one are a pair, writes that reach a
-- table through a parent or a subscription are recorded too, and a statement that touches no row
-- costs nothing. '!' sorts before letters: capture fires before the table's other AFTER triggers.
-- A condition has its given form until its deparsed form is noted. Triggers that partitions get,
-- too, have names that contain the table's id, so that an audited table can become a partition of
-- another.
CREATE OR REPLACE FUNCTION threadline.expected_triggers(
    audited_table integer, target regclass, condition text DEFAULT NULL,
    OUT relation regclass, OUT name text, OUT inherited boolean, OUT definition text
) RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off
SET standard_conforming_strings = on
BEGIN ATOMIC
    WITH policy AS (
        -- In the order in which PostgreSQL shows them.
        SELECT string_agg(o.operation, ' OR ' ORDER BY o.ordinal) FILTER (WHERE o.operation <> 'TRUNCATE') AS of_rows,
               array_agg(o.operation) AS operations,
               max(coalesce(t.deparsed_condition, expected_triggers.condition)) AS condition
        FROM (VALUES (1, 'INSERT'), (2, 'DELETE'), (3, 'UPDATE'), (4, 'TRUNCATE')) AS o (ordinal, operation)
        LEFT JOIN threadline.audited_tables AS t ON t.id = audited_table
        WHERE coalesce(t.policy -> 'operations' ? lower(o.operation), true)
    ), part AS (
        SELECT target AS relation
        UNION
        SELECT p.relid FROM pg_partition_tree(target) AS p JOIN pg_class AS c ON c.oid = p.relid WHERE c.relkind IN ('r', 'p')
    )
    SELECT p.relation, '!threadline_capture_' || audited_table, p.relation <> target, format(
        'CREATE TRIGGER "!threadline_capture_%1$s" AFTER %2$s ON %3$s FOR EACH ROW %4$sEXECUTE FUNCTION capture_%1$s()',
        audited_table, policy.of_rows, p.relation, 'WHEN (' || policy.condition || ') ')
    FROM part AS p
    CROSS JOIN policy
    UNION ALL
    SELECT p.relation, '!threadline_truncate_' || audited_table, false, format(
        'CREATE TRIGGER "!threadline_truncate_%1$s" BEFORE TRUNCATE ON %2$s FOR EACH STATEMENT EXECUTE FUNCTION capture_%1$s()',
        audited_table, p.relation)
    FROM part AS p
    JOIN policy ON 'TRUNCATE' = ANY (policy.operations);
END;
