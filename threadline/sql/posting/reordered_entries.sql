-- Returns the ids under which changes are shown where a trigger or a function of the application
-- wrote to rows of the very statement that called it: its writes are captured before those of the
-- statement. Each row version knows its predecessor, so that the versions of a row form a chain;
-- the ids of a chain are assigned in its order. A row that was deleted and inserted again under
-- its key comes before the new one.
--
-- TRUNCATE, CLUSTER and some forms of ALTER TABLE give the same places to other rows, but never
-- inside a statement that writes to the table. So a predecessor that was captured before is
-- preferred, one with the same values too, and one that was captured later has to be of the same
-- record, written by the statement around it.
--
-- In PL/pgSQL, so that the recursive query is only prepared if there are such writes.
CREATE OR REPLACE FUNCTION threadline.reordered_entries(up_to bigint, lowest tid, highest tid, OUT id bigint, OUT shown_id bigint) RETURNS SETOF record
LANGUAGE plpgsql STABLE ROWS 1 SET search_path = pg_catalog, threadline, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tl_transactions xid8[] := ARRAY(SELECT threadline.disordered_transactions(up_to, lowest, highest));
BEGIN
    IF tl_transactions = '{}' THEN
        RETURN;
    END IF;
    RETURN QUERY
    WITH RECURSIVE link AS MATERIALIZED (
        SELECT e.*, count(*) FILTER (WHERE e.op = 'T') OVER (PARTITION BY e.xact_id, e.occurred_at, e.relation ORDER BY e.id) AS era
        FROM (
            SELECT j.id, j.xact_id, j.occurred_at, j.table_id, j.relation, j.op, abs(j.depth) AS depth, j.depth < 0 AS is_replaced,
                   j.old_place, j.new_place, j.command::text::bigint AS command,
                   jsonb_hash_extended(threadline.short_values(j.old_row), 0) AS old_hash, jsonb_hash_extended(threadline.short_values(j.new_row), 0) AS new_hash,
                   CASE cardinality(t.key_columns) WHEN 1 THEN j.old_row ->> t.key_columns[1]
                        ELSE (SELECT nullif(jsonb_agg(j.old_row -> k), '[]')::text FROM unnest(t.key_columns) AS k WHERE j.old_row IS NOT NULL) END AS old_key,
                   CASE cardinality(t.key_columns) WHEN 1 THEN j.new_row ->> t.key_columns[1]
                        ELSE (SELECT nullif(jsonb_agg(j.new_row -> k), '[]')::text FROM unnest(t.key_columns) AS k WHERE j.new_row IS NOT NULL) END AS new_key
            FROM threadline.journal AS j
            LEFT JOIN threadline.audited_tables AS t ON t.id = j.table_id
            WHERE j.id <= up_to AND j.ctid >= lowest AND j.ctid <= highest AND j.op <> 'C'
              AND j.xact_id IN (SELECT unnest(tl_transactions))
            OFFSET 0
        ) AS e
    ), candidate AS (
        SELECT l.id, b.id AS before, l.old_hash = b.new_hash AS is_alike, coalesce(l.old_key = b.new_key, false) AS is_same
        FROM link AS l
        JOIN link AS b ON b.xact_id = l.xact_id AND b.occurred_at = l.occurred_at AND b.relation = l.relation AND b.era = l.era
                      AND b.new_place = l.old_place
        WHERE b.id < l.id
           OR b.id > l.id AND (
               l.depth > b.depth AND (l.old_key = b.new_key OR l.old_key IS NULL AND l.old_hash = b.new_hash)
               OR l.depth = b.depth AND b.is_replaced AND l.old_hash = b.new_hash)
    ), paired AS MATERIALIZED (
        -- A version has one predecessor, and one successor.
        SELECT DISTINCT ON (p.before) p.before, p.id
        FROM (
            SELECT DISTINCT ON (c.id) c.*
            FROM candidate AS c
            ORDER BY c.id, c.is_alike DESC, c.is_same DESC, c.before < c.id DESC, CASE WHEN c.before < c.id THEN -c.before ELSE c.before END
        ) AS p
        ORDER BY p.before, p.is_alike DESC, p.is_same DESC, p.id
    ), chain AS (
        SELECT l.id, l.id AS head, 1 AS turn
        FROM link AS l
        WHERE l.op <> 'T' AND l.id NOT IN (SELECT p.id FROM paired AS p)
        UNION ALL
        SELECT p.id, c.head, c.turn + 1
        FROM chain AS c
        JOIN paired AS p ON p.before = c.id
    ), row_version AS MATERIALIZED (
        SELECT c.head, c.turn, l.id, l.xact_id, l.occurred_at, l.table_id, l.op, l.depth, l.is_replaced, l.command, l.old_key, l.new_key, l.old_hash, l.new_hash
        FROM chain AS c
        JOIN link AS l ON l.id = c.id
    ), life AS MATERIALIZED (
        -- A row under one key, from its first version in the transaction to the last.
        SELECT v.head, v.xact_id, v.occurred_at, v.table_id, min(v.id) AS first_id, max(coalesce(v.new_key, v.old_key)) AS key,
               bool_or(v.turn = 1 AND v.op <> 'I') AS is_from_before, bool_or(v.op = 'D') AS is_over,
               min(v.depth) FILTER (WHERE v.turn = 1) AS depth,
               min(v.depth) FILTER (WHERE v.op = 'D') AS end_depth, min(v.id) FILTER (WHERE v.op = 'D') AS end_id,
               -- Else PostgreSQL keeps the command elsewhere.
               CASE WHEN count(*) = 1 THEN min(v.command) FILTER (WHERE v.op = 'D') END AS end_command,
               min(v.command) FILTER (WHERE v.turn = 1 AND v.op = 'I' AND NOT v.is_replaced) AS first_command,
               min(v.old_hash) FILTER (WHERE v.turn = 1) AS found_hash, (array_agg(v.new_hash ORDER BY v.turn DESC))[1] AS left_hash
        FROM row_version AS v
        GROUP BY v.head, v.xact_id, v.occurred_at, v.table_id
        HAVING bool_and(v.old_key = v.new_key) IS NOT false AND count(DISTINCT coalesce(v.new_key, v.old_key)) = 1
    ), succession AS (
        -- Rows with one key, of which a later one was captured first.
        SELECT s.xact_id, s.occurred_at, s.table_id, s.key
        FROM (
            SELECT DISTINCT n.xact_id, n.occurred_at, n.table_id, n.key
            FROM life AS n
            JOIN life AS o ON o.xact_id = n.xact_id AND o.occurred_at = n.occurred_at AND o.table_id = n.table_id AND o.key = n.key
            WHERE NOT n.is_from_before AND n.first_id < o.end_id AND n.depth > o.end_depth
              AND (o.is_from_before OR o.first_id < n.first_id)
              -- Else it may be the same row, in another place since the table was written anew.
              AND (o.found_hash IS DISTINCT FROM n.left_hash OR o.is_from_before AND n.first_command > o.end_command)
        ) AS s
        JOIN life AS e ON e.xact_id = s.xact_id AND e.occurred_at = s.occurred_at AND e.table_id = s.table_id AND e.key = s.key
        GROUP BY s.xact_id, s.occurred_at, s.table_id, s.key
        HAVING count(*) FILTER (WHERE e.is_from_before) <= 1 AND count(*) FILTER (WHERE NOT e.is_over) <= 1
    ), placed AS (
        SELECT v.id, v.turn, coalesce(e.line, v.head) AS line, e.is_from_before, e.is_over, e.first_id
        FROM row_version AS v
        LEFT JOIN (
            SELECT e.head, e.is_from_before, e.is_over, e.first_id,
                   min(e.head) OVER (PARTITION BY s.xact_id, s.occurred_at, s.table_id, s.key) AS line
            FROM succession AS s
            JOIN life AS e ON e.xact_id = s.xact_id AND e.occurred_at = s.occurred_at AND e.table_id = s.table_id AND e.key = s.key
        ) AS e ON e.head = v.head
    ), ranked AS (
        SELECT p.id, p.line,
               row_number() OVER (PARTITION BY p.line ORDER BY p.is_from_before DESC, p.is_over DESC, p.first_id, p.turn) AS in_line,
               row_number() OVER (PARTITION BY p.line ORDER BY p.id) AS by_id
        FROM placed AS p
    )
    SELECT r.id, g.id
    FROM ranked AS r
    JOIN ranked AS g ON g.line = r.line AND g.by_id = r.in_line
    WHERE r.id <> g.id;
END
$$;
