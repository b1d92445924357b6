-- The database transactions in which capture was suspended. Only the owner writes here, so no
-- setting of a session suspends capture.
CREATE TABLE threadline.suspensions (
    xact_id     xid8 NOT NULL,
    occurred_at timestamptz NOT NULL,
    action_id   bigint NOT NULL,
    PRIMARY KEY (xact_id, occurred_at, action_id)
);
COMMENT ON TABLE threadline.suspensions IS
    'Transactions in which capture was suspended, and the AuditAction with the reason';
