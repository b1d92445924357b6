-- Three btrees and no foreign keys. Each of the three serves an order of queries: by transaction,
-- by table, by record. The index by position serves consumers that follow the ledger.
CREATE TABLE threadline.ledger_changes (
    id             bigint NOT NULL,
    transaction_id bigint NOT NULL,
    captured_at    timestamptz NOT NULL,
    table_id       integer NOT NULL,
    statement      integer,
    op             "char" NOT NULL,
    record_key     text COLLATE "C",
    previous_key   text COLLATE "C",
    changed_from   jsonb,
    changed_to     jsonb,
    row_data       jsonb,
    position       bigint NOT NULL,
    PRIMARY KEY (transaction_id, id)
);
CREATE INDEX ledger_changes_table
    ON threadline.ledger_changes (table_id, transaction_id, id);
CREATE INDEX ledger_changes_record
    ON threadline.ledger_changes (table_id, record_key, id);
CREATE UNIQUE INDEX ledger_changes_position
    ON threadline.ledger_changes (position);
-- A record that changed its key is found under both keys. Partial, so that all other changes cost
-- nothing.
CREATE INDEX ledger_changes_key_arrival
    ON threadline.ledger_changes (table_id, record_key, id) WHERE previous_key IS NOT NULL;
CREATE INDEX ledger_changes_key_departure
    ON threadline.ledger_changes (table_id, previous_key, id) WHERE previous_key IS NOT NULL;

COMMENT ON TABLE threadline.ledger_changes IS
    'One row inserted, updated, deleted or truncated on an audited table; read it as threadline.audit_changes, which shows the journal too';
COMMENT ON COLUMN threadline.ledger_changes.op IS
    'I insert, U update, D delete, T truncate';
COMMENT ON COLUMN threadline.ledger_changes.record_key IS
    'The primary key as text; several columns as a JSON array of texts';
COMMENT ON COLUMN threadline.ledger_changes.previous_key IS
    'The key before an update that changed the key';
COMMENT ON COLUMN threadline.ledger_changes.statement IS
    'For an update that changed the key: the statement within its transaction, which distinguishes keys swapped in bulk';
COMMENT ON COLUMN threadline.ledger_changes.changed_from IS
    'Update: the old values of the changed columns; truncate of more rows than the limit: {"rows": number of rows}';
COMMENT ON COLUMN threadline.ledger_changes.changed_to IS
    'Update: the new values of the changed columns';
COMMENT ON COLUMN threadline.ledger_changes.row_data IS
    'Insert: the row as inserted; delete and truncate: the removed row; update that changed the key: the row before';
COMMENT ON COLUMN threadline.ledger_changes.position IS
    'Without gaps, in the order in which changes became visible; within a record, in the order of its changes';
