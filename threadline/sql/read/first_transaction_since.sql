-- Returns the first AuditTransaction that can have changes captured at an instant or later. One
-- is in use for an hour at most, or records for how long; the rest allows for a clock that was
-- set back.
CREATE OR REPLACE FUNCTION threadline.first_transaction_since(instant timestamptz) RETURNS bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT coalesce(
        least(
            (SELECT id FROM threadline.audit_transactions
             WHERE opened_at >= instant - interval '2 hours' ORDER BY opened_at LIMIT 1),
            (SELECT min(id) FROM (
                SELECT id FROM threadline.audit_transactions WHERE extended_until >= instant OFFSET 0
            ) AS extended)),
        9223372036854775807);
END;
