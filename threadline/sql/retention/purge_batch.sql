-- One batch of a run of threadline.purge(), which holds its lock; returns how many changes
-- or actions went. Transactions that have nothing left go with them.
CREATE FUNCTION threadline.purge_batch(run threadline.purges, at_most bigint) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_seen bigint;
    tl_last_transaction bigint;
    tl_last_id bigint;
    tl_bytes bigint;
    tl_transactions bigint[];
    tl_purged bigint;
    tl_emptied bigint;
BEGIN
    WITH seen AS MATERIALIZED (
        SELECT * FROM threadline.purgeable(run.table_id, run.kept_since, run.reached_transaction, run.reached_id, at_most)
    ), changes AS (
        DELETE FROM threadline.ledger_changes AS c USING seen AS s
        WHERE run.table_id IS NOT NULL AND s.goes AND c.transaction_id = s.transaction_id AND c.id = s.id
    ), actions AS (
        DELETE FROM threadline.audit_actions AS a USING seen AS s
        WHERE run.table_id IS NULL AND s.goes AND a.id = s.id
    )
    SELECT count(*), count(*) FILTER (WHERE s.goes), coalesce(sum(s.bytes) FILTER (WHERE s.goes), 0),
           array_agg(DISTINCT s.transaction_id) FILTER (WHERE s.goes),
           max(s.transaction_id), max(s.id) FILTER (WHERE run.table_id IS NULL OR s.transaction_id = last.transaction_id)
    INTO tl_seen, tl_purged, tl_bytes, tl_transactions, tl_last_transaction, tl_last_id
    FROM seen AS s
    CROSS JOIN (SELECT max(m.transaction_id) AS transaction_id FROM seen AS m) AS last;

    DELETE FROM threadline.ledger_transactions AS x
    WHERE x.id = ANY (tl_transactions) AND x.opened_at < run.kept_since
      AND NOT EXISTS (SELECT FROM threadline.ledger_changes AS c WHERE c.transaction_id = x.id)
      AND NOT EXISTS (SELECT FROM threadline.audit_actions AS a WHERE a.transaction_id = x.id);
    GET DIAGNOSTICS tl_emptied = ROW_COUNT;

    UPDATE threadline.purges AS p
    SET purged = p.purged + tl_purged,
        transactions = p.transactions + tl_emptied,
        bytes = p.bytes + tl_bytes,
        reached_transaction = coalesce(tl_last_transaction, p.reached_transaction),
        reached_id = coalesce(tl_last_id, p.reached_id),
        ended_at = CASE WHEN tl_seen < at_most THEN clock_timestamp() END
    WHERE p.id = run.id;
    RETURN tl_purged;
END
$$;
REVOKE ALL ON FUNCTION threadline.purge_batch(threadline.purges, bigint) FROM PUBLIC;
