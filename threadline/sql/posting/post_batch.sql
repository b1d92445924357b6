-- Moves the visible entries up to one into the ledger, with `whole` up to the end of a batch; for
-- threadline.post(), which holds the lock of posting and then updates threadline.posting. Returns
-- the number of entries, and that of changes. In one statement, because each statement may see
-- more entries than the one before.
CREATE OR REPLACE FUNCTION threadline.post_batch(
    up_to bigint, last_position bigint, whole boolean DEFAULT true, OUT moved bigint, OUT posted bigint
)
LANGUAGE plpgsql SET search_path = pg_catalog, threadline, pg_temp AS $$
BEGIN
    WITH waiting AS MATERIALIZED (
        SELECT min(j.ctid) FILTER (WHERE j.id <= up_to) AS lowest, max(j.ctid) FILTER (WHERE j.id <= up_to) AS highest,
               whole AND coalesce(bool_or(j.depth > 1 OR j.depth < 0), false) AS any_nested
        FROM threadline.journal AS j
    ), place AS MATERIALIZED (
        SELECT post_batch.up_to, w.lowest, w.highest FROM waiting AS w WHERE NOT w.any_nested
        UNION ALL
        SELECT e.up_to, min(j.ctid), max(j.ctid)
        FROM (SELECT threadline.end_of_batch(post_batch.up_to) AS up_to FROM waiting AS w WHERE w.any_nested OFFSET 0) AS e
        JOIN threadline.journal AS j ON j.id <= e.up_to
        GROUP BY e.up_to
    ), header AS (
        INSERT INTO threadline.ledger_transactions
        SELECT t.* FROM place AS b CROSS JOIN LATERAL threadline.pending_transactions(b.up_to, b.lowest, b.highest) AS t
    ), gone AS (
        DELETE FROM threadline.journal AS j
        -- If a restore left out the policy of a table, its entries wait until the table is
        -- audited again.
        WHERE j.id <= (SELECT b.up_to FROM place AS b) AND j.ctid >= (SELECT b.lowest FROM place AS b) AND j.ctid <= (SELECT b.highest FROM place AS b)
          AND (j.op = 'C' OR EXISTS (SELECT FROM threadline.audited_tables AS t WHERE t.id = j.table_id))
        RETURNING j.op
    ), change AS (
        INSERT INTO threadline.ledger_changes (
            id, transaction_id, captured_at, table_id, statement, op,
            record_key, previous_key, changed_from, changed_to, row_data, position)
        SELECT p.*, last_position + row_number() OVER (ORDER BY p.id)
        FROM place AS b
        CROSS JOIN LATERAL threadline.pending_changes(b.up_to, lowest => b.lowest, highest => b.highest) AS p
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
REVOKE ALL ON FUNCTION threadline.post_batch(bigint, bigint, boolean) FROM PUBLIC;
