-- Returns the AuditTransactions of the journal's entries, up to an entry. Entries name the first
-- one under their context; it counts if it is of the same database transaction. A forged name
-- matches none, and its entries get an AuditTransaction of their own without an actor.
CREATE OR REPLACE FUNCTION threadline.entry_transactions(
    up_to bigint,
    OUT entry_transaction bigint, OUT xact_id xid8, OUT occurred_at timestamptz, OUT shown_id bigint, OUT is_opened boolean
) RETURNS SETOF record
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT e.transaction_id, e.xact_id, e.occurred_at,
           CASE WHEN known.is_opened OR known.is_posted THEN e.transaction_id
                ELSE min(e.first_id) OVER (PARTITION BY e.xact_id, e.occurred_at, known.is_opened OR known.is_posted) END,
           known.is_opened OR known.is_posted
    FROM (
        SELECT j.transaction_id, j.xact_id, j.occurred_at, min(j.id) AS first_id, bool_or(j.context IS NOT NULL AND j.id = j.transaction_id) AS opens
        FROM threadline.journal AS j
        WHERE j.id <= up_to
        GROUP BY j.transaction_id, j.xact_id, j.occurred_at
    ) AS e
    CROSS JOIN LATERAL (
        -- Looked up by id, regardless of the number of rows: EXISTS would read all ids.
        SELECT e.opens AS is_opened, NOT e.opens AND (
            SELECT x.id FROM threadline.ledger_transactions AS x
            WHERE x.id = e.transaction_id AND x.xact_id = e.xact_id AND x.occurred_at = e.occurred_at) IS NOT NULL AS is_posted
    ) AS known;
END;
