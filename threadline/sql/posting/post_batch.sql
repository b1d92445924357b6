-- Moves the visible entries up to one into the ledger; for threadline.post(), which holds the
-- lock of posting and then updates threadline.posting. Returns the number of entries, and that of
-- changes. In one statement, because each statement may see more entries than the one before.
CREATE OR REPLACE FUNCTION threadline.post_batch(up_to bigint, last_position bigint, OUT moved bigint, OUT posted bigint)
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
BEGIN
    WITH place AS MATERIALIZED (
        SELECT min(j.ctid) AS lowest, max(j.ctid) AS highest FROM threadline.journal AS j WHERE j.id <= up_to
    ), header AS (
        INSERT INTO threadline.ledger_transactions
        SELECT t.* FROM place AS b CROSS JOIN LATERAL threadline.pending_transactions(up_to, b.lowest, b.highest) AS t
    ), gone AS (
        DELETE FROM threadline.journal AS j
        -- If a restore left out the policy of a table, its entries wait until the table is
        -- audited again.
        WHERE j.id <= up_to AND j.ctid >= (SELECT b.lowest FROM place AS b) AND j.ctid <= (SELECT b.highest FROM place AS b)
          AND (j.op = 'C' OR EXISTS (SELECT FROM threadline.audited_tables AS t WHERE t.id = j.table_id))
        RETURNING j.op
    ), change AS (
        INSERT INTO threadline.ledger_changes (
            id, transaction_id, captured_at, table_id, statement, op,
            record_key, previous_key, changed_from, changed_to, row_data, position)
        SELECT p.*, last_position + row_number() OVER (ORDER BY p.id)
        FROM place AS b
        CROSS JOIN LATERAL threadline.pending_changes(up_to, lowest => b.lowest, highest => b.highest) AS p
        -- IS true: looked up, not joined, which would copy the changes.
        WHERE (p.table_id IN (SELECT t.id FROM threadline.audited_tables AS t)) IS true
        RETURNING id
    )
    SELECT (SELECT count(*) FROM gone), (SELECT count(*) FROM change)
    INTO moved, posted;
    -- Posting updates nothing else in the ledger.
    UPDATE threadline.ledger_transactions AS x
    SET extended_until = (SELECT max(c.captured_at) + interval '1 second' FROM threadline.ledger_changes AS c WHERE c.transaction_id = x.id)
    WHERE x.extended_until = 'infinity' AND x.xact_id <> pg_current_xact_id()
      -- Not EXISTS, which could become a join that reads all that waits.
      AND (SELECT true FROM threadline.journal AS j WHERE j.transaction_id = x.id LIMIT 1) IS NULL;
END
$$;
REVOKE ALL ON FUNCTION threadline.post_batch(bigint, bigint) FROM PUBLIC;
