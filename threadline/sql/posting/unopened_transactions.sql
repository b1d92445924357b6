-- Returns the AuditTransactions that entries of the journal name, up to an entry and within a
-- range of places, without one that opened it: the first one under a context, in the same database
-- transaction. A forged name matches none, and its entries get an AuditTransaction of their own
-- without an actor.
--
-- In PL/pgSQL, so that the query is only prepared if an entry is not the first of its transaction.
CREATE OR REPLACE FUNCTION threadline.unopened_transactions(
    up_to bigint, lowest tid, highest tid,
    OUT entry_transaction bigint, OUT xact_id xid8, OUT occurred_at timestamptz, OUT shown_id bigint
) RETURNS SETOF record
LANGUAGE plpgsql STABLE ROWS 1 SET search_path = pg_catalog, threadline, pg_temp AS $$
#variable_conflict use_column
BEGIN
    IF NOT EXISTS (
        SELECT FROM threadline.journal AS j
        WHERE j.id <= up_to AND j.ctid >= lowest AND j.ctid <= highest AND (j.id <> j.transaction_id OR j.context IS NULL))
    THEN
        RETURN;
    END IF;
    RETURN QUERY
    SELECT e.transaction_id, e.xact_id, e.occurred_at, min(e.first_id) OVER (PARTITION BY e.xact_id, e.occurred_at)
    FROM (
        SELECT j.transaction_id, j.xact_id, j.occurred_at, min(j.id) AS first_id
        FROM threadline.journal AS j
        WHERE j.id <= up_to AND j.ctid >= lowest AND j.ctid <= highest
          AND (j.id <> j.transaction_id OR j.context IS NULL)
        GROUP BY j.transaction_id, j.xact_id, j.occurred_at
    ) AS e
    WHERE NOT EXISTS (
        SELECT FROM threadline.journal AS o
        WHERE o.id <= up_to AND o.ctid >= lowest AND o.ctid <= highest
          AND o.id = o.transaction_id AND o.context IS NOT NULL
          AND o.transaction_id = e.transaction_id AND o.xact_id = e.xact_id AND o.occurred_at = e.occurred_at)
      -- Looked up by id, regardless of the number of rows: EXISTS would read all ids.
      AND (SELECT x.id FROM threadline.ledger_transactions AS x
           WHERE x.id = e.transaction_id AND x.xact_id = e.xact_id AND x.occurred_at = e.occurred_at) IS NULL;
END
$$;
