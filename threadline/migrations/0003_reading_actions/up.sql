ALTER TABLE threadline.audit_actions ADD COLUMN source text;
ALTER TABLE threadline.audit_actions ADD COLUMN remote_ip inet;
COMMENT ON COLUMN threadline.audit_actions.source IS
    'Which way the action came; NULL also where it was recorded before version 3 of the audit schema';
COMMENT ON COLUMN threadline.audit_actions.remote_ip IS
    'The client''s address; NULL also where it was recorded before version 3 of the audit schema';

-- Actions are read newest first, by time. Those of no transaction are found between the
-- changes of others.
CREATE INDEX audit_actions_occurred
    ON threadline.audit_actions (occurred_at, id);
CREATE INDEX audit_actions_alone
    ON threadline.audit_actions (occurred_at, id) WHERE transaction_id IS NULL;
CREATE INDEX audit_actions_named
    ON threadline.audit_actions (name, occurred_at, id);
CREATE INDEX audit_actions_failure
    ON threadline.audit_actions (status, occurred_at, id) WHERE status <> 'ok';
CREATE INDEX audit_actions_actor
    ON threadline.audit_actions (actor_type, actor_id, occurred_at, id);
CREATE INDEX audit_actions_source
    ON threadline.audit_actions (source, transaction_id) WHERE source IS NOT NULL;

-- The same order as before, and those of no transaction, too.
DROP INDEX threadline.audit_actions_category;
DROP INDEX threadline.audit_actions_request;
DROP INDEX threadline.audit_actions_correlation;
DROP INDEX threadline.audit_actions_job;
CREATE INDEX audit_actions_category
    ON threadline.audit_actions (category, transaction_id);
CREATE INDEX audit_actions_request
    ON threadline.audit_actions (request_id, transaction_id) WHERE request_id IS NOT NULL;
CREATE INDEX audit_actions_correlation
    ON threadline.audit_actions (correlation_id, transaction_id) WHERE correlation_id IS NOT NULL;
CREATE INDEX audit_actions_job
    ON threadline.audit_actions (job_id, transaction_id) WHERE job_id IS NOT NULL;

-- What was written without an actor is asked for in the order of transactions.
CREATE INDEX ledger_transactions_nobody
    ON threadline.ledger_transactions (id) WHERE actor_type IS NULL;
