-- Keeps the state of each record after those of its changes that a purge is about to remove, so
-- that queries about later instants return the same as before. They are those of the batch up to
-- its last one, as far as they are old: before the end, and not of a straddling transaction.
CREATE OR REPLACE FUNCTION threadline.keep_images(
    run threadline.purges, last_transaction bigint, last_id bigint, end_id bigint, straddling bigint[], up_to_position bigint
) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, threadline, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off AS $$
#variable_conflict use_variable
DECLARE
    audited_table integer := run.table_id;
    tl_renames jsonb := threadline.renames_of(audited_table);
    tl_alterations jsonb := threadline.alterations_of(audited_table);
    -- If a TRUNCATE recorded only the number of rows, which rows it removed is unknown.
    tl_blind bigint;
    tl_since timestamptz := threadline.images_follow_since(run);
BEGIN
    SELECT coalesce(max(c.id), 0) INTO tl_blind
    FROM threadline.ledger_changes AS c
    WHERE c.table_id = run.table_id
      AND c.transaction_id BETWEEN run.reached_transaction AND last_transaction
      AND (c.transaction_id, c.id) > (run.reached_transaction, run.reached_id) AND (c.transaction_id, c.id) <= (last_transaction, last_id)
      AND c.captured_at < run.kept_since AND c.id < end_id AND c.transaction_id <> ALL (straddling) AND c.position <= up_to_position
      AND c.op = 'T' AND c.record_key IS NULL;
    -- This reads everything kept of the table.
    IF tl_blind > 0 THEN
        DELETE FROM threadline.kept_images AS k WHERE k.table_id = audited_table AND k.id < tl_blind;
    END IF;

    WITH doomed AS MATERIALIZED (
        SELECT c.*
        FROM threadline.ledger_changes AS c
        WHERE c.table_id = run.table_id
          AND c.transaction_id BETWEEN run.reached_transaction AND last_transaction
          AND (c.transaction_id, c.id) > (run.reached_transaction, run.reached_id) AND (c.transaction_id, c.id) <= (last_transaction, last_id)
          AND c.captured_at < run.kept_since AND c.id < end_id AND c.transaction_id <> ALL (straddling) AND c.position <= up_to_position
          AND c.record_key IS NOT NULL AND c.id > tl_blind
    ), grouped AS MATERIALIZED (
        -- One statement moved these keys at the same moment.
        SELECT d.transaction_id, d.statement, min(d.id) AS position FROM doomed AS d
        WHERE d.previous_key IS NOT NULL GROUP BY d.transaction_id, d.statement
    ), event AS MATERIALIZED (
        SELECT d.record_key AS event_key, d.id, d.transaction_id, d.statement, d.captured_at, coalesce(g.position, d.id) AS position,
               CASE WHEN d.op IN ('D', 'T') THEN 'end' WHEN d.op = 'I' OR d.previous_key IS NOT NULL THEN 'birth' ELSE 'update' END AS kind,
               threadline.image_left(d.op, d.previous_key, d.row_data, d.changed_to) AS leaves
        FROM doomed AS d
        LEFT JOIN grouped AS g ON g.transaction_id = d.transaction_id AND g.statement = d.statement
        UNION ALL
        SELECT d.previous_key, d.id, d.transaction_id, d.statement, d.captured_at, coalesce(g.position, d.id), 'end', NULL
        FROM doomed AS d
        LEFT JOIN grouped AS g ON g.transaction_id = d.transaction_id AND g.statement = d.statement
        WHERE d.previous_key IS NOT NULL
    ), placed AS (
        SELECT e.*, CASE WHEN e.kind = 'end' THEN 0 ELSE 1 END AS turn FROM event AS e
        UNION ALL
        SELECT k.record_key, k.id, k.transaction_id, k.statement, k.captured_at, coalesce(g.position, k.id),
               CASE WHEN k.image IS NULL THEN 'end' WHEN k.is_whole THEN 'birth' ELSE 'update' END, k.image,
               CASE WHEN k.image IS NULL THEN 0 ELSE 1 END
        FROM (SELECT DISTINCT e.event_key FROM event AS e) AS of
        -- Looked up by index: a join might read everything kept of the table.
        CROSS JOIN LATERAL (
            SELECT i.* FROM threadline.kept_images AS i WHERE i.table_id = audited_table AND i.record_key = of.event_key
            OFFSET 0
        ) AS k
        LEFT JOIN grouped AS g ON g.transaction_id = k.transaction_id AND g.statement = k.statement
    ), counted AS (
        SELECT p.*,
               CASE WHEN tl_renames IS NULL THEN p.leaves ELSE threadline.renamed_image(tl_renames, p.leaves, p.captured_at) END AS image,
               count(*) FILTER (WHERE p.kind = 'end') OVER back AS ends_since,
               count(*) FILTER (WHERE p.kind = 'birth') OVER (back ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS births_since,
               row_number() OVER back AS from_last,
               first_value(p.captured_at) OVER back AS last_at
        FROM (SELECT p.*, max(p.captured_at) OVER (PARTITION BY p.event_key) AS newest FROM placed AS p) AS p
        WHERE p.captured_at >= tl_since OR p.newest < tl_since
        WINDOW back AS (PARTITION BY p.event_key ORDER BY p.position DESC, p.turn DESC, p.id DESC)
    ), left_behind AS (
        SELECT c.event_key,
               max(c.id) FILTER (WHERE c.from_last = 1) AS id,
               max(c.transaction_id) FILTER (WHERE c.from_last = 1) AS transaction_id,
               max(c.statement) FILTER (WHERE c.from_last = 1) AS statement,
               max(c.last_at) AS captured_at,
               coalesce(bool_or(c.kind = 'birth' AND jsonb_typeof(c.leaves) = 'object') FILTER (WHERE c.ends_since = 0), false) AS is_whole,
               CASE WHEN tl_alterations IS NULL
                    THEN threadline.overlay(c.image ORDER BY c.position, c.turn, c.id)
                        FILTER (WHERE c.ends_since = 0 AND c.births_since = 0 AND tl_alterations IS NULL)
                    ELSE threadline.laid(tl_alterations,
                        threadline.lay(tl_alterations, c.image, c.captured_at ORDER BY c.position, c.turn, c.id)
                            FILTER (WHERE c.ends_since = 0 AND c.births_since = 0 AND tl_alterations IS NOT NULL),
                        max(c.last_at))
               END AS image
        FROM counted AS c
        GROUP BY c.event_key
    )
    INSERT INTO threadline.kept_images (table_id, record_key, id, transaction_id, statement, captured_at, is_whole, image)
    SELECT audited_table, l.event_key, l.id, l.transaction_id, l.statement, l.captured_at, l.is_whole,
           CASE WHEN tl_renames IS NULL THEN l.image ELSE threadline.former_image(tl_renames, l.image, l.captured_at) END
    FROM left_behind AS l
    ON CONFLICT (table_id, record_key) DO UPDATE
    SET id = excluded.id, transaction_id = excluded.transaction_id, statement = excluded.statement, captured_at = excluded.captured_at,
        is_whole = excluded.is_whole, image = excluded.image;
END
$$;
REVOKE ALL ON FUNCTION threadline.keep_images(threadline.purges, bigint, bigint, bigint, bigint[], bigint) FROM PUBLIC;
