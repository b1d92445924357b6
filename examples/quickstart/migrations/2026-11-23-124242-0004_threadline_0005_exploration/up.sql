-- What an operator asks by. Who and what for is asked of the small tables; the
-- changes of a transaction are found by its id.
CREATE INDEX audit_transactions_actor
    ON threadline.audit_transactions (actor_type, actor_id, id);
CREATE INDEX audit_transactions_actor_type
    ON threadline.audit_transactions (actor_type, id);
CREATE INDEX audit_transactions_opened
    ON threadline.audit_transactions (opened_at, id);
CREATE INDEX audit_transactions_extended
    ON threadline.audit_transactions (extended_until, id) WHERE extended_until IS NOT NULL;
-- The contexts of one database transaction belong together.
CREATE INDEX audit_transactions_xact
    ON threadline.audit_transactions (xact_id, id);
CREATE INDEX audit_transactions_source
    ON threadline.audit_transactions (source, id) WHERE source IS NOT NULL;
CREATE INDEX audit_transactions_request
    ON threadline.audit_transactions (request_id, id) WHERE request_id IS NOT NULL;
CREATE INDEX audit_transactions_correlation
    ON threadline.audit_transactions (correlation_id, id) WHERE correlation_id IS NOT NULL;
CREATE INDEX audit_transactions_job
    ON threadline.audit_transactions (job_id, id) WHERE job_id IS NOT NULL;

CREATE INDEX audit_actions_transaction
    ON threadline.audit_actions (transaction_id, id) WHERE transaction_id IS NOT NULL;
CREATE INDEX audit_actions_name
    ON threadline.audit_actions (name, transaction_id) WHERE transaction_id IS NOT NULL;
CREATE INDEX audit_actions_category
    ON threadline.audit_actions (category, transaction_id) WHERE transaction_id IS NOT NULL;
CREATE INDEX audit_actions_failed
    ON threadline.audit_actions (status, transaction_id) WHERE transaction_id IS NOT NULL AND status <> 'ok';
CREATE INDEX audit_actions_request
    ON threadline.audit_actions (request_id, transaction_id) WHERE request_id IS NOT NULL AND transaction_id IS NOT NULL;
CREATE INDEX audit_actions_correlation
    ON threadline.audit_actions (correlation_id, transaction_id) WHERE correlation_id IS NOT NULL AND transaction_id IS NOT NULL;
CREATE INDEX audit_actions_job
    ON threadline.audit_actions (job_id, transaction_id) WHERE job_id IS NOT NULL AND transaction_id IS NOT NULL;

-- Deletions are few among changes, and what an operator looks for.
CREATE INDEX audit_changes_removal
    ON threadline.audit_changes (op, transaction_id, id) WHERE op IN ('D', 'T');

-- The first AuditTransaction that can have changes captured at an instant or
-- later. One is in use for an hour at most, or says for how long; the rest is
-- allowance for a clock that was set back.
CREATE FUNCTION threadline.first_transaction_since(instant timestamptz) RETURNS bigint
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
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

-- The last AuditTransaction that can have changes captured at an instant or
-- earlier, with allowance for a clock that was set back.
CREATE FUNCTION threadline.last_transaction_by(instant timestamptz) RETURNS bigint
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT coalesce(
        (SELECT id FROM threadline.audit_transactions
         WHERE opened_at <= instant + interval '1 hour' ORDER BY opened_at DESC LIMIT 1), 0);
END;

INSERT INTO threadline.schema_patches (version) VALUES (5);
