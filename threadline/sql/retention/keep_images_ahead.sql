-- Keeps the images of the next changes of a purge, of many batches at once, before they are removed.
-- An image is written once for all changes of its record among them, and not once a batch.
CREATE OR REPLACE FUNCTION threadline.keep_images_ahead(run threadline.purges, at_most bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, threadline, pg_temp
-- By index, even where the planner would prefer to read a whole table.
SET enable_seqscan = off
SET enable_bitmapscan = off AS $$
DECLARE
    tl_end bigint := threadline.purge_end(run.kept_since);
    tl_straddling bigint[] := threadline.straddling(run.kept_since, tl_end);
    tl_position bigint := (SELECT max(c.position) FROM threadline.ledger_changes AS c);
    tl_to_transaction bigint;
    tl_to_id bigint;
    -- Again: a table can be altered during a run.
    tl_plain boolean := threadline.images_add_up(run.table_id, tl_end);
    tl_work_mem text := current_setting('work_mem');
    tl_one_by_one boolean;
    tl_since timestamptz := threadline.images_follow_since(run);
BEGIN
    SELECT c.transaction_id, c.id INTO tl_to_transaction, tl_to_id
    FROM threadline.ledger_changes AS c
    WHERE (c.table_id, c.transaction_id, c.id) > (run.table_id, run.reached_transaction, run.reached_id)
      AND (c.table_id, c.transaction_id) < (run.table_id, tl_end)
    ORDER BY c.table_id, c.transaction_id, c.id
    OFFSET at_most - 1 LIMIT 1;
    tl_to_transaction := coalesce(tl_to_transaction, tl_end - 1);
    tl_to_id := coalesce(tl_to_id, tl_end);

    -- With less, the sort writes to disk.
    IF pg_size_bytes(tl_work_mem) < pg_size_bytes('64MB') THEN
        PERFORM set_config('work_mem', '64MB', true);
    END IF;
    WITH read AS (
        -- One index has this order, regardless of the estimates.
        SELECT c.record_key, c.id, c.transaction_id, c.statement, c.captured_at, c.position, c.op,
               CASE c.op WHEN 'U' THEN c.changed_to WHEN 'I' THEN c.row_data END AS leaves
        FROM threadline.ledger_changes AS c
        WHERE (c.table_id, c.transaction_id, c.id) > (run.table_id, run.reached_transaction, run.reached_id)
          AND (c.table_id, c.transaction_id, c.id) <= (run.table_id, tl_to_transaction, tl_to_id)
        ORDER BY c.table_id, c.transaction_id, c.id
        OFFSET 0
    ), old AS (
        SELECT r.*
        FROM read AS r
        WHERE r.captured_at < run.kept_since AND r.id < tl_end AND r.transaction_id <> ALL (tl_straddling) AND r.position <= tl_position
    ), of_record AS (
        SELECT o.*, min(o.captured_at) OVER record AS first_at, min(o.id) OVER record AS first_id, max(o.id) OVER record AS last_id,
               max(o.id) FILTER (WHERE o.op <> 'U') OVER record AS from_id
        FROM old AS o
        -- In the order in which images are merged. Each change is read and sorted once.
        WINDOW record AS (PARTITION BY o.record_key ORDER BY o.id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
    ), folded AS MATERIALIZED (
        SELECT o.record_key, min(o.first_at) AS first_at, min(o.first_id) AS first_id, max(o.last_id) AS last_id, max(o.from_id) AS from_id,
               max(o.transaction_id) FILTER (WHERE o.id = o.last_id) AS transaction_id,
               max(o.statement) FILTER (WHERE o.id = o.last_id) AS statement,
               max(o.captured_at) FILTER (WHERE o.id = o.last_id) AS captured_at,
               -- Apart from the updates, which are shorter than the whole row.
               (array_agg(o.leaves) FILTER (WHERE o.op = 'I'))[1] AS born,
               threadline.overlay(o.leaves) FILTER (WHERE o.op = 'U') AS updated
        FROM of_record AS o
        WHERE (o.id >= o.from_id) IS NOT FALSE
        GROUP BY o.record_key
    ), known AS MATERIALIZED (
        SELECT f.*, k.id AS kept_id, k.captured_at AS kept_at, k.is_whole, k.image
        FROM folded AS f
        LEFT JOIN LATERAL (
            SELECT i.id, i.captured_at, i.is_whole, i.image FROM threadline.kept_images AS i
            WHERE i.table_id = run.table_id AND i.record_key = f.record_key
            OFFSET 0
        ) AS k ON true
    ), one_by_one AS MATERIALIZED (
        SELECT NOT tl_plain OR coalesce(bool_or(
            -- A TRUNCATE of unknown rows.
            k.record_key IS NULL
            -- Where a kept image is of a later change, a hold kept this one, or its transaction
            -- began after that of the later change.
            OR k.kept_id >= k.first_id
            -- Nor does a later image follow from one of before this.
            OR k.first_at < tl_since OR k.kept_at < tl_since), false) AS is_so
        FROM known AS k
    ), written AS (
        INSERT INTO threadline.kept_images (table_id, record_key, id, transaction_id, statement, captured_at, is_whole, image)
        SELECT run.table_id, k.record_key, k.last_id, k.transaction_id, k.statement, k.captured_at,
               CASE WHEN k.from_id IS NULL THEN k.image IS NOT NULL AND k.is_whole ELSE k.born IS NOT NULL END,
               CASE WHEN k.from_id IS NULL THEN coalesce(k.image || k.updated, k.image, k.updated) ELSE coalesce(k.born || k.updated, k.born, k.updated) END
        FROM known AS k
        WHERE NOT (SELECT o.is_so FROM one_by_one AS o)
        ON CONFLICT (table_id, record_key) DO UPDATE
        SET id = excluded.id, transaction_id = excluded.transaction_id, statement = excluded.statement, captured_at = excluded.captured_at,
            is_whole = excluded.is_whole, image = excluded.image
    )
    SELECT o.is_so INTO tl_one_by_one FROM one_by_one AS o;
    PERFORM set_config('work_mem', tl_work_mem, true);
    IF tl_one_by_one THEN
        PERFORM threadline.keep_images(run, tl_to_transaction, tl_to_id, tl_end, tl_straddling, tl_position);
    END IF;
    UPDATE threadline.purges AS p
    SET kept_transaction = tl_to_transaction, kept_id = tl_to_id, kept_position = tl_position
    WHERE p.id = run.id;
END
$$;
REVOKE ALL ON FUNCTION threadline.keep_images_ahead(threadline.purges, bigint) FROM PUBLIC;
