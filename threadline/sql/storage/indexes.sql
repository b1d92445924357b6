-- The indexes for an operator's queries. Actors and contexts are searched in the small tables;
-- the changes of a transaction are found by its id.
CREATE INDEX ledger_transactions_actor
    ON threadline.ledger_transactions (actor_type, actor_id, id);
CREATE INDEX ledger_transactions_actor_type
    ON threadline.ledger_transactions (actor_type, id);
CREATE INDEX ledger_transactions_opened
    ON threadline.ledger_transactions (opened_at, id);
CREATE INDEX ledger_transactions_extended
    ON threadline.ledger_transactions (extended_until, id) WHERE extended_until IS NOT NULL;
-- The contexts of one database transaction belong together.
CREATE INDEX ledger_transactions_xact
    ON threadline.ledger_transactions (xact_id, id);
CREATE INDEX ledger_transactions_source
    ON threadline.ledger_transactions (source, id) WHERE source IS NOT NULL;
CREATE INDEX ledger_transactions_request
    ON threadline.ledger_transactions (request_id, id) WHERE request_id IS NOT NULL;
CREATE INDEX ledger_transactions_correlation
    ON threadline.ledger_transactions (correlation_id, id) WHERE correlation_id IS NOT NULL;
CREATE INDEX ledger_transactions_job
    ON threadline.ledger_transactions (job_id, id) WHERE job_id IS NOT NULL;

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

-- Deletions are few among changes, and operators often look for them.
CREATE INDEX ledger_changes_removal
    ON threadline.ledger_changes (op, transaction_id, id) WHERE op IN ('D', 'T');
