-- Returns the AuditTransactions of database transactions that began before a purge's horizon and
-- continued after it, as far as their ids are below an end.
CREATE OR REPLACE FUNCTION threadline.straddling(horizon timestamptz, end_id bigint) RETURNS bigint[]
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT coalesce(array_agg(DISTINCT earlier.id), '{}')
    FROM (
        -- Few: a transaction that lasted an hour and then opened another context.
        SELECT late.xact_id, late.occurred_at FROM threadline.ledger_transactions AS late
        WHERE late.opened_at AT TIME ZONE 'UTC' > late.occurred_at AT TIME ZONE 'UTC' + interval '1 hour' AND late.opened_at >= horizon - interval '2 hours'
        UNION
        SELECT late.xact_id, late.occurred_at FROM threadline.ledger_transactions AS late
        WHERE late.extended_until >= horizon
    ) AS of
    CROSS JOIN LATERAL (
        SELECT x.id FROM threadline.ledger_transactions AS x
        WHERE x.xact_id = of.xact_id AND x.occurred_at = of.occurred_at AND x.id < end_id
        OFFSET 0
    ) AS earlier;
END;
REVOKE ALL ON FUNCTION threadline.straddling(timestamptz, bigint) FROM PUBLIC;
