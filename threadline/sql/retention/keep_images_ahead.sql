-- Keeps the images of the next changes of a purge, of many batches at once, before they are removed.
-- An image is written once for all changes of its record among them, and not once a batch.
CREATE OR REPLACE FUNCTION threadline.keep_images_ahead(run threadline.purges, at_most bigint) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
-- By index, even where the planner would prefer to read a whole table.
SET enable_seqscan = off
SET enable_bitmapscan = off
AS $$
DECLARE
    tl_end bigint := threadline.purge_end(run.kept_since);
    tl_straddling bigint[] := threadline.straddling(run.kept_since, tl_end);
    tl_position bigint := (SELECT max(c.position) FROM threadline.ledger_changes AS c);
    tl_to_transaction bigint;
    tl_to_id bigint;
    tl_plain boolean := threadline.renames_of(run.table_id) IS NULL AND threadline.alterations_of(run.table_id) IS NULL;
    tl_one_by_one boolean;
    tl_since timestamptz := (
        SELECT greatest(t.audited_since, t.chained_since, s.ended_before)
        FROM threadline.audited_tables AS t, threadline.suspended_around(t.id, run.kept_since) AS s
        WHERE t.id = run.table_id);
BEGIN
    SELECT c.transaction_id, c.id INTO tl_to_transaction, tl_to_id
    FROM threadline.ledger_changes AS c
    WHERE (c.table_id, c.transaction_id, c.id) > (run.table_id, run.reached_transaction, run.reached_id)
      AND (c.table_id, c.transaction_id) < (run.table_id, tl_end)
    ORDER BY c.table_id, c.transaction_id, c.id
    OFFSET at_most - 1 LIMIT 1;
    tl_to_transaction := coalesce(tl_to_transaction, tl_end - 1);
    tl_to_id := coalesce(tl_to_id, tl_end);

    WITH old AS MATERIALIZED (
        SELECT c.record_key, c.id, c.transaction_id, c.statement, c.captured_at, c.op, c.previous_key, c.row_data, c.changed_to
        FROM threadline.ledger_changes AS c
        WHERE c.table_id = run.table_id
          AND c.transaction_id BETWEEN run.reached_transaction AND tl_to_transaction
          AND (c.transaction_id, c.id) > (run.reached_transaction, run.reached_id) AND (c.transaction_id, c.id) <= (tl_to_transaction, tl_to_id)
          AND c.captured_at < run.kept_since AND c.id < tl_end AND c.transaction_id <> ALL (tl_straddling) AND c.position <= tl_position
    ), of_record AS MATERIALIZED (
        SELECT o.record_key, min(o.id) AS first_id, max(o.id) AS last_id, max(o.id) FILTER (WHERE o.op <> 'U') AS from_id
        FROM old AS o
        WHERE o.record_key IS NOT NULL
        GROUP BY o.record_key
    ), known AS MATERIALIZED (
        SELECT r.*, k.id, k.captured_at AS kept_at, k.is_whole, k.image
        FROM of_record AS r
        LEFT JOIN LATERAL (
            SELECT i.id, i.captured_at, i.is_whole, i.image FROM threadline.kept_images AS i
            WHERE i.table_id = run.table_id AND i.record_key = r.record_key
            OFFSET 0
        ) AS k ON true
    ), one_by_one AS MATERIALIZED (
        -- Where a kept image is of a later change, a hold kept this one, or its transaction began
        -- after that of the later change.
        SELECT NOT tl_plain
               OR EXISTS (SELECT FROM known AS k WHERE k.id >= k.first_id)
               OR EXISTS (SELECT FROM old AS o WHERE o.previous_key IS NOT NULL OR o.record_key IS NULL)
               -- Nor does a later one follow from an image of before this.
               OR EXISTS (SELECT FROM old AS o WHERE o.captured_at < tl_since)
               OR EXISTS (SELECT FROM known AS k WHERE k.kept_at < tl_since) AS is_so
    ), ordered AS (
        SELECT o.*, k.last_id, k.from_id
        FROM old AS o
        JOIN known AS k ON k.record_key = o.record_key AND o.id >= coalesce(k.from_id, 0)
        ORDER BY o.record_key, o.id
    ), folded AS (
        SELECT o.record_key,
               max(o.transaction_id) FILTER (WHERE o.id = o.last_id) AS transaction_id,
               max(o.statement) FILTER (WHERE o.id = o.last_id) AS statement,
               max(o.captured_at) FILTER (WHERE o.id = o.last_id) AS captured_at,
               coalesce(bool_or(o.op = 'I' AND o.row_data IS NOT NULL) FILTER (WHERE o.id = o.from_id), false) AS is_whole,
               threadline.overlay(CASE o.op WHEN 'U' THEN o.changed_to WHEN 'I' THEN o.row_data END) AS image
        FROM ordered AS o
        GROUP BY o.record_key
    ), written AS (
        INSERT INTO threadline.kept_images (table_id, record_key, id, transaction_id, statement, captured_at, is_whole, image)
        SELECT run.table_id, f.record_key, k.last_id, f.transaction_id, f.statement, f.captured_at,
               CASE WHEN k.from_id IS NULL THEN k.image IS NOT NULL AND k.is_whole ELSE f.is_whole END,
               CASE WHEN k.from_id IS NULL THEN coalesce(k.image || f.image, k.image, f.image) ELSE f.image END
        FROM folded AS f
        JOIN known AS k ON k.record_key = f.record_key
        WHERE NOT (SELECT o.is_so FROM one_by_one AS o)
        ON CONFLICT (table_id, record_key) DO UPDATE
        SET id = excluded.id, transaction_id = excluded.transaction_id, statement = excluded.statement, captured_at = excluded.captured_at,
            is_whole = excluded.is_whole, image = excluded.image
    )
    SELECT o.is_so INTO tl_one_by_one FROM one_by_one AS o;
    IF tl_one_by_one THEN
        PERFORM threadline.keep_images(run, tl_to_transaction, tl_to_id, tl_end, tl_straddling, tl_position);
    END IF;
    UPDATE threadline.purges AS p
    SET kept_transaction = tl_to_transaction, kept_id = tl_to_id, kept_position = tl_position
    WHERE p.id = run.id;
END
$$;
REVOKE ALL ON FUNCTION threadline.keep_images_ahead(threadline.purges, bigint) FROM PUBLIC;
