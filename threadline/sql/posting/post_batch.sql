-- Moves the visible entries up to one into the ledger; for threadline.post(), which holds the
-- lock of posting. Returns their number.
CREATE OR REPLACE FUNCTION threadline.post_batch(up_to bigint, last_position bigint) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_posted bigint;
    tl_moved bigint;
BEGIN
    WITH header AS (
        INSERT INTO threadline.ledger_transactions
        SELECT * FROM threadline.pending_transactions(up_to)
    ), gone AS (
        DELETE FROM threadline.journal AS j
        -- If a restore left out the policy of a table, its entries wait until the table is
        -- audited again.
        WHERE j.id <= up_to AND (j.op = 'C' OR EXISTS (SELECT FROM threadline.audited_tables AS t WHERE t.id = j.table_id))
        RETURNING j.op
    ), change AS (
        INSERT INTO threadline.ledger_changes (
            id, transaction_id, captured_at, table_id, statement, op,
            record_key, previous_key, changed_from, changed_to, row_data, position)
        SELECT p.*, last_position + row_number() OVER (ORDER BY p.id)
        FROM threadline.pending_changes(up_to) AS p
        WHERE p.table_id IN (SELECT t.id FROM threadline.audited_tables AS t)
        RETURNING id
    )
    SELECT (SELECT count(*) FROM change), (SELECT count(*) FROM gone)
    INTO tl_posted, tl_moved;
    UPDATE threadline.posting AS p SET last_position = post_batch.last_position + tl_posted, posted_at = clock_timestamp();
    -- Posting updates nothing else in the ledger.
    UPDATE threadline.ledger_transactions AS x
    SET extended_until = (SELECT max(c.captured_at) + interval '1 second' FROM threadline.ledger_changes AS c WHERE c.transaction_id = x.id)
    WHERE x.extended_until = 'infinity' AND x.xact_id <> pg_current_xact_id()
      AND NOT EXISTS (SELECT FROM threadline.journal AS j WHERE j.transaction_id = x.id);
    RETURN tl_moved;
END
$$;
REVOKE ALL ON FUNCTION threadline.post_batch(bigint, bigint) FROM PUBLIC;
