-- Keeps the end of each record of which changes from before a removed TRUNCATE are left, if that
-- recorded only the number of rows: held changes, and those that a later batch removes.
CREATE OR REPLACE FUNCTION threadline.keep_ends(
    run threadline.purges, truncated bigint, truncated_in bigint, truncated_at timestamptz
) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, threadline, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off AS $$
BEGIN
    INSERT INTO threadline.kept_images AS k (table_id, record_key, id, transaction_id, captured_at, is_whole)
    SELECT DISTINCT run.table_id, c.record_key, truncated, truncated_in, truncated_at, false
    FROM threadline.ledger_changes AS c
    -- Up to what is swept, nothing is left, and a change comes after the id of its transaction.
    WHERE (c.table_id, c.transaction_id, c.id) > (run.table_id, run.swept_transaction, run.swept_id)
      AND (c.table_id, c.transaction_id) < (run.table_id, truncated)
      AND c.id < truncated AND c.record_key IS NOT NULL
    -- What was kept of a later change is of a record that began after the TRUNCATE.
    ON CONFLICT (table_id, record_key) DO UPDATE
    SET id = excluded.id, transaction_id = excluded.transaction_id, statement = NULL, captured_at = excluded.captured_at,
        is_whole = false, image = NULL
    WHERE k.id < excluded.id;
END
$$;
REVOKE ALL ON FUNCTION threadline.keep_ends(threadline.purges, bigint, bigint, timestamptz) FROM PUBLIC;
