-- The sessions in which capture is, or was, suspended. A session identifies itself by a secret in
-- its setting threadline.suspended, which no other session sees and which ends with it.
CREATE TABLE threadline.session_suspensions (
    action_id   bigint PRIMARY KEY,
    pid         integer NOT NULL,
    secret_hash bytea NOT NULL,
    occurred_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    resumed_at  timestamptz
);
COMMENT ON TABLE threadline.session_suspensions IS
    'Sessions in which capture was suspended, and the AuditAction with the reason';
COMMENT ON COLUMN threadline.session_suspensions.resumed_at IS
    'When threadline.resume() was called; NULL: not yet, or the session ended before';
