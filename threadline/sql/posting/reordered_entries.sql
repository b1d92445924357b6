-- Returns the ids under which changes are shown where triggers of the application wrote to rows
-- of the very statement that fired them: their writes are captured before the statement itself.
-- Each row version knows its predecessor, so that the versions of a row form a chain; the ids of
-- a chain are assigned in its order. A row that was deleted and inserted again under its key
-- comes before the new one.
--
-- In PL/pgSQL, so that the recursive query is only prepared if there are such writes.
CREATE OR REPLACE FUNCTION threadline.reordered_entries(up_to bigint, lowest tid, highest tid, OUT id bigint, OUT shown_id bigint) RETURNS SETOF record
LANGUAGE plpgsql STABLE ROWS 1
SET search_path = pg_catalog, threadline, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    IF NOT EXISTS (
        SELECT FROM threadline.journal AS n
        WHERE n.id <= up_to AND n.ctid >= lowest AND n.ctid <= highest AND n.depth > 1)
    THEN
        RETURN;
    END IF;
    RETURN QUERY
    WITH RECURSIVE link AS MATERIALIZED (
        SELECT j.id, j.xact_id, j.occurred_at, j.relation, j.op, j.old_place, j.new_place
        FROM threadline.journal AS j
        WHERE j.id <= up_to AND j.ctid >= lowest AND j.ctid <= highest AND j.op IN ('I', 'U', 'D')
          AND j.xact_id IN (
              SELECT n.xact_id FROM threadline.journal AS n
              WHERE n.id <= up_to AND n.ctid >= lowest AND n.ctid <= highest AND n.depth > 1)
    ), chain AS (
        SELECT l.id, l.xact_id, l.occurred_at, l.relation, l.new_place, l.id AS head, 1 AS turn
        FROM link AS l
        WHERE NOT EXISTS (
            SELECT FROM link AS before
            WHERE before.xact_id = l.xact_id AND before.occurred_at = l.occurred_at AND before.relation = l.relation AND before.new_place = l.old_place)
        UNION ALL
        SELECT l.id, l.xact_id, l.occurred_at, l.relation, l.new_place, c.head, c.turn + 1
        FROM chain AS c
        JOIN link AS l ON l.xact_id = c.xact_id AND l.occurred_at = c.occurred_at AND l.relation = c.relation AND l.old_place = c.new_place
    ) CYCLE id SET again USING path, placed AS (
        SELECT DISTINCT ON (c.id) c.id, c.head, c.turn FROM chain AS c WHERE NOT c.again ORDER BY c.id, c.turn
    ), ranked AS (
        SELECT p.id, p.head,
               row_number() OVER (PARTITION BY p.head ORDER BY p.turn) AS in_chain,
               row_number() OVER (PARTITION BY p.head ORDER BY p.id) AS by_id
        FROM placed AS p
    )
    SELECT r.id, g.id
    FROM ranked AS r
    JOIN ranked AS g ON g.head = r.head AND g.by_id = r.in_chain
    WHERE r.id <> g.id;
END
$$;
