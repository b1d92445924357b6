CREATE TABLE threadline.audit_actions (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    transaction_id bigint,
    occurred_at    timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    name           text NOT NULL,
    category       text,
    verb           text,
    actor_type     text NOT NULL,
    actor_id       text,
    status         text NOT NULL DEFAULT 'ok',
    reason         text,
    comment        text,
    request_id     text,
    correlation_id text,
    job_id         text,
    meta           jsonb
);
COMMENT ON TABLE threadline.audit_actions IS
    'A semantic event that the application records: its actor, name, reason and outcome';
