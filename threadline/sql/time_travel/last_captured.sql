-- When the database transaction of an AuditTransaction captured its last change.
-- A transaction counts as of then, whole or not at all, under however many
-- contexts it wrote: what it wrote earlier, nobody else could see.
CREATE FUNCTION threadline.last_captured(audit_transaction bigint) RETURNS timestamptz
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT max(last.captured_at)
    FROM threadline.audit_transactions AS x
    JOIN threadline.audit_transactions AS part USING (xact_id, occurred_at)
    CROSS JOIN LATERAL (
        SELECT c.captured_at
        FROM threadline.audit_changes AS c
        WHERE c.transaction_id = part.id
        ORDER BY c.id DESC
        LIMIT 1
    ) AS last
    WHERE x.id = audit_transaction;
END;
