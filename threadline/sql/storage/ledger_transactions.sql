-- Keyed by an id of its own: transaction ids start again after a dump and restore, so xact_id
-- counts only together with occurred_at.
CREATE TABLE threadline.ledger_transactions (
    id             bigint PRIMARY KEY,
    xact_id        xid8 NOT NULL,
    occurred_at    timestamptz NOT NULL,
    opened_at      timestamptz NOT NULL,
    extended_until timestamptz,
    actor_type     text,
    actor_id       text,
    actor_origin   text NOT NULL,
    request_id     text,
    correlation_id text,
    job_id         text,
    source         text,
    remote_ip      inet,
    meta           jsonb,
    session_user_name text NOT NULL,
    context_error  text
);
COMMENT ON TABLE threadline.ledger_transactions IS
    'One database transaction under one context that changed audited rows; read it as threadline.audit_transactions, which shows the journal too';
COMMENT ON COLUMN threadline.ledger_transactions.occurred_at IS
    'When the database transaction began (not when it committed)';
COMMENT ON COLUMN threadline.ledger_transactions.opened_at IS
    'When its first change or action was recorded; its last change came within an hour, unless extended_until says otherwise';
COMMENT ON COLUMN threadline.ledger_transactions.extended_until IS
    'For a transaction that went on for more than an hour: its last change came before this';
COMMENT ON COLUMN threadline.ledger_transactions.actor_origin IS
    'Where the actor came from: explicit, thread-local, task-local, sql (threadline.set_context), none, unreadable, or untrusted (set outside of the transaction)';
COMMENT ON COLUMN threadline.ledger_transactions.context_error IS
    'Why the context could not be read in full; its changes are recorded nevertheless';
