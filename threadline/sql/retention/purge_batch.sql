-- Removes one batch of a run of threadline.purge(), which holds its lock; returns the number of
-- removed changes or actions. Transactions without any remaining changes are removed with them.
CREATE OR REPLACE FUNCTION threadline.purge_batch(run threadline.purges, at_most bigint) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
-- By their physical location, even where the planner would prefer to read a whole table.
SET enable_seqscan = off
AS $$
DECLARE
    tl_seen bigint;
    tl_last_transaction bigint;
    tl_last_id bigint;
    tl_bytes bigint;
    tl_old tid[];
    tl_transactions bigint[];
    tl_doomed tid[];
    tl_purged bigint;
    tl_emptied bigint;
BEGIN
    -- Rows do not move in between: only a purge and an erasure move them, and only one of the two
    -- runs at a time.
    SELECT count(*), array_agg(s.place) FILTER (WHERE s.is_old), array_agg(s.place) FILTER (WHERE s.goes),
           coalesce(array_agg(DISTINCT s.transaction_id) FILTER (WHERE s.goes), '{}'),
           coalesce(sum(s.bytes) FILTER (WHERE s.goes), 0),
           (array_agg(s.transaction_id ORDER BY s.turn DESC))[1], (array_agg(s.id ORDER BY s.turn DESC))[1]
    INTO tl_seen, tl_old, tl_doomed, tl_transactions, tl_bytes, tl_last_transaction, tl_last_id
    FROM threadline.purgeable(run.table_id, run.kept_since, run.reached_transaction, run.reached_id, at_most)
        WITH ORDINALITY AS s (transaction_id, id, is_old, goes, bytes, place, turn);
    IF run.table_id IS NULL THEN
        DELETE FROM threadline.audit_actions AS a WHERE a.ctid = ANY (tl_doomed);
    ELSE
        -- Held changes count as well.
        PERFORM threadline.keep_images(run.table_id, tl_old);
        DELETE FROM threadline.ledger_changes AS c WHERE c.ctid = ANY (tl_doomed);
    END IF;
    GET DIAGNOSTICS tl_purged = ROW_COUNT;

    DELETE FROM threadline.ledger_transactions AS x
    WHERE x.id = ANY (tl_transactions)
      -- Not by the index on opened_at, which contains everything old.
      AND (x.opened_at < run.kept_since) IS true
      -- Looked up one by one: NOT EXISTS would become a join with all of them.
      AND (SELECT c.id FROM threadline.ledger_changes AS c WHERE c.transaction_id = x.id LIMIT 1) IS NULL
      AND (SELECT a.id FROM threadline.audit_actions AS a WHERE a.transaction_id = x.id LIMIT 1) IS NULL;
    GET DIAGNOSTICS tl_emptied = ROW_COUNT;

    UPDATE threadline.purges AS p
    SET purged = p.purged + tl_purged,
        transactions = p.transactions + tl_emptied,
        bytes = p.bytes + tl_bytes,
        reached_transaction = coalesce(tl_last_transaction, p.reached_transaction),
        reached_id = coalesce(tl_last_id, p.reached_id),
        ended_at = CASE WHEN tl_seen < at_most THEN clock_timestamp() END
    WHERE p.id = run.id;
    IF tl_seen < at_most THEN
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
