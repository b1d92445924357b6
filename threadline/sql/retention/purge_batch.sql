-- Removes one batch of a run of threadline.purge(), which holds its lock; returns the number of
-- removed changes or actions. Transactions without any remaining changes are removed with them.
CREATE OR REPLACE FUNCTION threadline.purge_batch(run threadline.purges, at_most bigint) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, threadline, pg_temp
-- By index, even where the planner would prefer to read a whole table.
SET enable_seqscan = off
SET enable_bitmapscan = off
-- And one by one, where a join would read all that remains.
SET enable_hashjoin = off
SET enable_mergejoin = off AS $$
DECLARE
    tl_holds boolean := EXISTS (SELECT FROM threadline.legal_holds AS h WHERE h.released_at IS NULL);
    tl_end bigint := threadline.purge_end(run.kept_since);
    tl_straddling bigint[] := threadline.straddling(run.kept_since, tl_end);
    tl_position bigint := coalesce(run.kept_position, (SELECT max(c.position) FROM threadline.ledger_changes AS c));
    -- Of the last change or action of this batch; NULL: it is the last batch.
    tl_last_transaction bigint;
    tl_last_id bigint;
    tl_actions bigint[];
    tl_to_transaction bigint;
    tl_to_id bigint;
    tl_transactions bigint[];
    tl_bytes bigint;
    tl_purged bigint;
    tl_emptied bigint;
    tl_blind_id bigint;
    tl_blind_transaction bigint;
    tl_blind_at timestamptz;
    tl_is_full boolean;
    tl_sweeps boolean := false;
BEGIN
    IF run.table_id IS NULL THEN
        SELECT array_agg(p.id) FILTER (WHERE p.goes), (array_agg(p.id))[at_most::integer] INTO tl_actions, tl_last_id
        FROM threadline.purgeable(NULL, run.kept_since, -1, run.reached_id, at_most) AS p;
        WITH gone AS (
            DELETE FROM threadline.audit_actions AS a WHERE a.id = ANY (tl_actions)
            RETURNING a.transaction_id, pg_column_size(a.*) AS bytes
        )
        SELECT count(*), sum(g.bytes), array_agg(g.transaction_id) INTO tl_purged, tl_bytes, tl_transactions FROM gone AS g;
    ELSE
        SELECT c.transaction_id, c.id INTO tl_last_transaction, tl_last_id
        FROM threadline.ledger_changes AS c
        WHERE (c.table_id, c.transaction_id, c.id) > (run.table_id, run.reached_transaction, run.reached_id)
          AND (c.table_id, c.transaction_id) < (run.table_id, tl_end)
          AND (run.images = 'by batch' OR (c.table_id, c.transaction_id, c.id) <= (run.table_id, run.kept_transaction, run.kept_id))
        ORDER BY c.table_id, c.transaction_id, c.id
        OFFSET at_most - 1 LIMIT 1;
        tl_is_full := tl_last_id IS NOT NULL;
        IF tl_last_id IS NULL AND run.images = 'ahead' AND run.kept_id < tl_end THEN
            tl_last_transaction := run.kept_transaction;
            tl_last_id := run.kept_id;
        END IF;
        tl_to_transaction := coalesce(tl_last_transaction, tl_end - 1);
        tl_to_id := coalesce(tl_last_id, tl_end);
        IF run.images = 'by batch' THEN
            -- Held changes count as well.
            PERFORM threadline.keep_images(run, tl_to_transaction, tl_to_id, tl_end, tl_straddling, tl_position);
        END IF;
        WITH gone AS (
            DELETE FROM threadline.ledger_changes AS c
            WHERE c.table_id = run.table_id
              AND c.transaction_id BETWEEN run.reached_transaction AND tl_to_transaction
              AND (c.transaction_id, c.id) > (run.reached_transaction, run.reached_id) AND (c.transaction_id, c.id) <= (tl_to_transaction, tl_to_id)
              AND c.captured_at < run.kept_since AND c.id < tl_end AND c.transaction_id <> ALL (tl_straddling)
              -- One that was posted since has no part in the images.
              AND c.position <= tl_position
              AND NOT (tl_holds AND threadline.is_held(c))
            -- Few changes are of a moved or an unknown record.
            RETURNING c.transaction_id, pg_column_size(c.*) AS bytes, c.previous_key IS NOT NULL AS is_moved,
                c.op = 'T' AND c.record_key IS NULL AS is_blind,
                CASE WHEN c.previous_key IS NOT NULL OR c.record_key IS NULL THEN c END AS change
        ), moved AS (
            INSERT INTO threadline.moved_keys (table_id, id, previous_key, record_key)
            SELECT run.table_id, (g.change).id, (g.change).previous_key, (g.change).record_key FROM gone AS g WHERE g.is_moved
            ON CONFLICT DO NOTHING
        )
        SELECT count(*), sum(g.bytes), array_agg(g.transaction_id),
               max((g.change).id) FILTER (WHERE g.is_blind), max((g.change).captured_at) FILTER (WHERE g.is_blind),
               (array_agg(g.transaction_id ORDER BY (g.change).id DESC) FILTER (WHERE g.is_blind))[1]
        INTO tl_purged, tl_bytes, tl_transactions, tl_blind_id, tl_blind_at, tl_blind_transaction
        FROM gone AS g;
        IF tl_blind_id IS NOT NULL THEN
            PERFORM threadline.keep_ends(run, tl_blind_id, tl_blind_transaction, tl_blind_at);
        END IF;
        IF run.sweeps AND tl_last_id IS NOT NULL AND (run.swept_transaction, run.swept_id) = (run.reached_transaction, run.reached_id) THEN
            tl_sweeps := CASE WHEN tl_is_full THEN tl_purged = at_most ELSE NOT EXISTS (
                SELECT FROM threadline.ledger_changes AS c
                WHERE (c.table_id, c.transaction_id, c.id) > (run.table_id, run.reached_transaction, run.reached_id)
                  AND (c.table_id, c.transaction_id, c.id) <= (run.table_id, tl_to_transaction, tl_to_id)) END;
        END IF;
    END IF;

    DELETE FROM threadline.ledger_transactions AS x
    WHERE x.id = ANY (ARRAY(
            -- In their order, to read neighbouring pages.
            SELECT of.id FROM (SELECT DISTINCT unnest(tl_transactions) AS id ORDER BY id OFFSET 0) AS of
            WHERE NOT EXISTS (SELECT FROM threadline.ledger_changes AS c WHERE c.transaction_id = of.id)
              AND NOT EXISTS (SELECT FROM threadline.audit_actions AS a WHERE a.transaction_id = of.id)
            -- Of entries that wait, only the first has the context. In the same statement, so that
            -- one that is posted meanwhile is seen on one side. The journal has no index, and few
            -- entries of it are this old: they are read once.
            EXCEPT
            SELECT j.transaction_id FROM threadline.journal AS j
            WHERE j.transaction_id <= (SELECT max(of.id) FROM unnest(tl_transactions) AS of (id))
            EXCEPT
            SELECT u.transaction_id FROM threadline.unposted AS u))
      -- Not by the index on opened_at, which contains everything old.
      AND (x.opened_at < run.kept_since) IS true;
    GET DIAGNOSTICS tl_emptied = ROW_COUNT;

    UPDATE threadline.purges AS p
    SET purged = p.purged + tl_purged,
        transactions = p.transactions + tl_emptied,
        bytes = p.bytes + coalesce(tl_bytes, 0),
        reached_transaction = coalesce(tl_last_transaction, p.reached_transaction),
        reached_id = coalesce(tl_last_id, p.reached_id),
        swept_transaction = CASE WHEN tl_sweeps THEN tl_to_transaction ELSE p.swept_transaction END,
        swept_id = CASE WHEN tl_sweeps THEN tl_to_id ELSE p.swept_id END,
        ended_at = CASE WHEN tl_last_id IS NULL THEN clock_timestamp() END
    WHERE p.id = run.id;
    IF tl_last_id IS NULL THEN
        -- The end of a record is needed as long as something from before it is held.
        DELETE FROM threadline.kept_images AS k
        WHERE k.table_id = run.table_id AND k.image IS NULL AND (
            SELECT c.id FROM threadline.ledger_changes AS c
            WHERE c.table_id = k.table_id AND c.record_key = k.record_key AND c.id < k.id LIMIT 1) IS NULL;
    END IF;
    RETURN tl_purged;
END
$$;
REVOKE ALL ON FUNCTION threadline.purge_batch(threadline.purges, bigint) FROM PUBLIC;
