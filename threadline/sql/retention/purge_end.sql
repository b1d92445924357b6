-- Returns the id from which on nothing is old enough for a purge with this horizon: that of the
-- first AuditTransaction which can have changes after it, or can belong to a database transaction
-- that has. One is in use for an hour at most, or says for how long, as in
-- threadline.first_transaction_since(); threadline.straddling() finds those of transactions that
-- had already lasted an hour.
CREATE OR REPLACE FUNCTION threadline.purge_end(horizon timestamptz) RETURNS bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT coalesce(
        (SELECT x.id FROM threadline.ledger_transactions AS x WHERE x.opened_at >= horizon - interval '3 hours' ORDER BY x.opened_at LIMIT 1),
        9223372036854775807);
END;
REVOKE ALL ON FUNCTION threadline.purge_end(timestamptz) FROM PUBLIC;
