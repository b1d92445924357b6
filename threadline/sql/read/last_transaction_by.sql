-- Returns the last AuditTransaction that can have changes captured at an instant or earlier, with
-- allowance for a clock that was set back.
CREATE OR REPLACE FUNCTION threadline.last_transaction_by(instant timestamptz) RETURNS bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT coalesce(
        (SELECT id FROM threadline.audit_transactions
         WHERE opened_at <= instant + interval '1 hour' ORDER BY opened_at DESC LIMIT 1), 0);
END;
