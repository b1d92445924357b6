-- Keeps the state of the next records at the horizon of a purge, in the order of their keys; returns
-- whether there are more. Their old changes are all read at once, and an image is written once a
-- record, where removing changes in the order of time would write it once a change.
CREATE OR REPLACE FUNCTION threadline.keep_images_first(run threadline.purges, at_most bigint) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
-- In the order of one index, even where the planner would prefer to read a whole table.
SET enable_seqscan = off
SET enable_bitmapscan = off
AS $$
DECLARE
    tl_end bigint := threadline.purge_end(run.kept_since);
    tl_straddling bigint[] := threadline.straddling(run.kept_since, tl_end);
    tl_seen bigint;
    tl_last_key text;
    tl_last_id bigint;
BEGIN
    WITH old AS MATERIALIZED (
        SELECT c.record_key, c.id, c.transaction_id, c.statement, c.captured_at, c.op, c.row_data, c.changed_to
        FROM threadline.ledger_changes AS c
        WHERE (c.table_id, c.record_key, c.id) > (run.table_id, coalesce(run.reached_key, ''), run.reached_id)
          AND c.table_id = run.table_id AND c.id < tl_end
          AND c.captured_at < run.kept_since AND c.transaction_id <> ALL (tl_straddling)
        ORDER BY c.table_id, c.record_key, c.id
        LIMIT at_most
    ), known AS MATERIALIZED (
        SELECT k.*
        FROM (SELECT DISTINCT o.record_key FROM old AS o) AS of
        CROSS JOIN LATERAL (
            SELECT i.record_key, i.id, i.is_whole, i.image FROM threadline.kept_images AS i
            WHERE i.table_id = run.table_id AND i.record_key = of.record_key
            OFFSET 0
        ) AS k
    ), marked AS (
        SELECT o.*, max(o.id) OVER record AS last_id,
               max(o.id) FILTER (WHERE o.op <> 'U') OVER record AS from_id
        FROM old AS o
        LEFT JOIN known AS k ON k.record_key = o.record_key
        -- A held change is in the image already.
        WHERE k.id IS NULL OR o.id > k.id
        WINDOW record AS (PARTITION BY o.record_key ORDER BY o.id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
    ), folded AS (
        -- In the order of the window.
        SELECT m.record_key, max(m.id) AS id, max(m.from_id) AS from_id,
               max(m.transaction_id) FILTER (WHERE m.id = m.last_id) AS transaction_id,
               max(m.statement) FILTER (WHERE m.id = m.last_id) AS statement,
               max(m.captured_at) FILTER (WHERE m.id = m.last_id) AS captured_at,
               coalesce(bool_or(m.op = 'I') FILTER (WHERE m.id = m.from_id), false) AS is_whole,
               threadline.overlay(CASE m.op WHEN 'U' THEN m.changed_to WHEN 'I' THEN m.row_data END)
                   FILTER (WHERE m.id >= coalesce(m.from_id, 0)) AS image
        FROM marked AS m
        GROUP BY m.record_key
    ), written AS (
        INSERT INTO threadline.kept_images (table_id, record_key, id, transaction_id, statement, captured_at, is_whole, image)
        SELECT run.table_id, f.record_key, f.id, f.transaction_id, f.statement, f.captured_at,
               CASE WHEN f.from_id IS NULL THEN k.image IS NOT NULL AND k.is_whole ELSE f.is_whole END,
               CASE WHEN f.from_id IS NULL AND k.image IS NOT NULL THEN k.image || f.image ELSE f.image END
        FROM folded AS f
        LEFT JOIN known AS k ON k.record_key = f.record_key
        ON CONFLICT (table_id, record_key) DO UPDATE
        SET id = excluded.id, transaction_id = excluded.transaction_id, statement = excluded.statement, captured_at = excluded.captured_at,
            is_whole = excluded.is_whole, image = excluded.image
    )
    SELECT count(*) OVER (), o.record_key, o.id INTO tl_seen, tl_last_key, tl_last_id
    FROM old AS o ORDER BY o.record_key DESC, o.id DESC LIMIT 1;
    IF tl_seen = at_most THEN
        UPDATE threadline.purges AS p SET reached_key = tl_last_key, reached_id = tl_last_id WHERE p.id = run.id;
    ELSE
        UPDATE threadline.purges AS p SET images = 'kept', reached_key = NULL, reached_id = -1 WHERE p.id = run.id;
    END IF;
END
$$;
REVOKE ALL ON FUNCTION threadline.keep_images_first(threadline.purges, bigint) FROM PUBLIC;
