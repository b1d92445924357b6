-- When a transaction captured its last change. A transaction counts as of then,
-- whole or not at all: what it wrote earlier, nobody else could see.
CREATE FUNCTION threadline.last_captured(audit_transaction bigint) RETURNS timestamptz
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT captured_at
    FROM threadline.audit_changes
    WHERE transaction_id = audit_transaction
    ORDER BY id DESC
    LIMIT 1;
END;
