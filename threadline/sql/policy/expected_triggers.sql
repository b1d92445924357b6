-- The triggers that capture a table and its partitions, each as PostgreSQL shows
-- it, so that what was installed can be compared with what is there. Those of
-- partitions that PostgreSQL makes by itself are `inherited`.
--
-- An ordinary table has statement triggers. Where these do not suffice, row
-- triggers take over: what logical replication applies fires no statement
-- trigger, nor does what is written through its parent to a table that became a
-- partition. That it did, a WHEN clause finds out; PostgreSQL reads it anew for each
-- statement, so it is as short as can be. That a change is a replicated one is said
-- by the trigger's state, and by its argument for when somebody enables them all alike.
--
-- Partitioned tables, those with ancestors or heirs, and those with a condition
-- have row triggers alone: PostgreSQL makes them for each partition that comes, and
-- they fire wherever a row is written from. A condition stands as it was given until
-- it is known how PostgreSQL shows it. '!' sorts before letters: for each row capture
-- fires before the table's other AFTER triggers, so that what they write to that row in
-- turn is recorded after. Names of triggers that partitions get, too, are the table's
-- own: so a table that is audited can become a partition of another.
CREATE FUNCTION threadline.expected_triggers(
    audited_table integer, target regclass, by_statement boolean,
    OUT relation regclass, OUT name text, OUT inherited boolean, OUT fires "char", OUT definition text
) RETURNS SETOF record
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off
SET standard_conforming_strings = on
BEGIN ATOMIC
    WITH policy AS (
        -- In the order in which PostgreSQL shows them.
        SELECT string_agg(o.operation, ' OR ' ORDER BY o.ordinal) FILTER (WHERE o.operation <> 'TRUNCATE') AS of_rows,
               array_agg(o.operation) AS operations,
               -- It may end in a comment.
               max(coalesce(t.shown_condition, t.policy ->> 'condition' || E'\n')) AS condition
        FROM (VALUES (1, 'INSERT'), (2, 'DELETE'), (3, 'UPDATE'), (4, 'TRUNCATE')) AS o (ordinal, operation)
        LEFT JOIN threadline.audited_tables AS t ON t.id = audited_table
        WHERE coalesce(t.policy -> 'operations' ? lower(o.operation), true)
    ), part AS (
        SELECT target AS relation
        UNION
        SELECT p.relid FROM pg_partition_tree(target) AS p JOIN pg_class AS c ON c.oid = p.relid WHERE c.relkind IN ('r', 'p')
    )
    SELECT p.relation, '!threadline_capture_' || audited_table, p.relation <> target, CASE WHEN by_statement THEN 'R' ELSE 'A' END, format(
        'CREATE TRIGGER "!threadline_capture_%1$s" AFTER %2$s ON %3$s FOR EACH ROW %4$sEXECUTE FUNCTION capture_%1$s(%5$s)',
        audited_table, policy.of_rows, p.relation, 'WHEN (' || policy.condition || ') ', CASE WHEN by_statement THEN '''replicated''' END)
    FROM part AS p
    CROSS JOIN policy
    UNION ALL
    SELECT target, '!threadline_attached', false, 'O', format(
        'CREATE TRIGGER "!threadline_attached" AFTER %s ON %s FOR EACH ROW WHEN ((pg_partition_root(''%s''::regclass) IS NOT NULL)) EXECUTE FUNCTION capture_%s()',
        policy.of_rows, target,
        -- Not as %L quotes: PostgreSQL shows a backslash as it is.
        replace(target::text, '''', ''''''),
        audited_table)
    FROM policy
    WHERE by_statement
    UNION ALL
    SELECT p.relation, '!threadline_truncate_' || audited_table, false, 'A', format(
        'CREATE TRIGGER "!threadline_truncate_%1$s" BEFORE TRUNCATE ON %2$s FOR EACH STATEMENT EXECUTE FUNCTION capture_%1$s()',
        audited_table, p.relation)
    FROM part AS p
    JOIN policy ON 'TRUNCATE' = ANY (policy.operations)
    UNION ALL
    SELECT target, '!threadline_' || lower(of.operation), false, 'O', format(
        'CREATE TRIGGER "!threadline_%1$s" AFTER %2$s ON %3$s REFERENCING %4$s FOR EACH STATEMENT EXECUTE FUNCTION capture_%5$s_%1$s()',
        lower(of.operation), of.operation, target, of.tables, audited_table)
    FROM (VALUES ('INSERT', 'NEW TABLE AS tl_new'),
                 ('UPDATE', 'OLD TABLE AS tl_old NEW TABLE AS tl_new'),
                 ('DELETE', 'OLD TABLE AS tl_old')) AS of (operation, tables)
    JOIN policy ON of.operation = ANY (policy.operations)
    WHERE by_statement;
END;
