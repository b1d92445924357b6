-- Fails if a legal hold keeps data that would be erased.
CREATE OR REPLACE FUNCTION threadline.refuse_held(run threadline.erasures) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_hold threadline.legal_holds;
BEGIN
    SELECT h.* INTO tl_hold
    FROM threadline.legal_holds AS h
    WHERE h.released_at IS NULL AND (
        EXISTS (
            SELECT
            FROM threadline.erased_records AS r
            CROSS JOIN LATERAL (
                SELECT c.transaction_id, c.record_key, c.previous_key FROM threadline.ledger_changes AS c
                WHERE c.table_id = r.table_id AND c.record_key = r.record_key
                UNION ALL
                SELECT c.transaction_id, c.record_key, c.previous_key FROM threadline.ledger_changes AS c
                WHERE c.table_id = r.table_id AND c.previous_key = r.record_key AND c.previous_key IS NOT NULL
                UNION ALL
                SELECT NULL, r.record_key, NULL
            ) AS c
            LEFT JOIN threadline.ledger_transactions AS x ON x.id = c.transaction_id
            WHERE r.erasure_id = run.id
              AND (h.table_id IS NULL OR h.table_id = r.table_id)
              AND (h.record_keys IS NULL OR h.record_keys && ARRAY[c.record_key, c.previous_key])
              AND (h.actor_type IS NULL OR (h.actor_type = x.actor_type AND h.actor_id IS NOT DISTINCT FROM x.actor_id))
              AND (h.correlation_id IS NULL OR h.correlation_id = x.correlation_id))
        OR h.actor_type = run.actor_type AND h.actor_id = run.actor_id)
    ORDER BY h.id
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'threadline: the recorded data of %:% is under hold % (%), and is not erased before the hold is released',
            run.subject_table, run.record_key, tl_hold.id, tl_hold.reason
            USING HINT = format('After that, SELECT threadline.erase(%s) continues.', run.id);
    END IF;
END
$$;
