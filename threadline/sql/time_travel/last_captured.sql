-- Returns when the database transaction of an AuditTransaction captured its last change. A
-- transaction counts as of then, whole or not at all, under however many contexts it wrote: no
-- other session could see its earlier writes. Takes many transactions in one query, so that it
-- reads the raw journal and not its final form.
CREATE OR REPLACE FUNCTION threadline.last_captured(audit_transaction bigint) RETURNS timestamptz
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_xact_id xid8;
    tl_occurred_at timestamptz;
    tl_posted timestamptz;
    tl_waiting timestamptz;
BEGIN
    SELECT x.xact_id, x.occurred_at INTO tl_xact_id, tl_occurred_at
    FROM threadline.ledger_transactions AS x
    WHERE x.id = audit_transaction;
    IF tl_xact_id IS NULL THEN
        SELECT j.xact_id, j.occurred_at INTO tl_xact_id, tl_occurred_at
        FROM threadline.journal AS j
        WHERE j.id = audit_transaction
        LIMIT 1;
    END IF;
    SELECT max(last.captured_at) INTO tl_posted
    FROM threadline.ledger_transactions AS part
    CROSS JOIN LATERAL (
        SELECT c.captured_at
        FROM threadline.ledger_changes AS c
        WHERE c.transaction_id = part.id
        ORDER BY c.id DESC
        LIMIT 1
    ) AS last
    WHERE part.xact_id = tl_xact_id AND part.occurred_at = tl_occurred_at;
    SELECT max(j.captured_at) INTO tl_waiting
    FROM threadline.journal AS j
    WHERE j.xact_id = tl_xact_id AND j.occurred_at = tl_occurred_at AND j.op <> 'C';
    RETURN greatest(tl_posted, tl_waiting);
END
$$;
