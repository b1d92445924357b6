-- Three btrees and no foreign keys: each further index costs 1-4 us a change, a
-- foreign key as much again. Each of the three serves an order in which people
-- ask: by transaction, by table, by record.
CREATE TABLE threadline.audit_changes (
    id             bigint GENERATED ALWAYS AS IDENTITY,
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
    PRIMARY KEY (transaction_id, id)
);
CREATE INDEX audit_changes_table
    ON threadline.audit_changes (table_id, transaction_id, id);
CREATE INDEX audit_changes_record
    ON threadline.audit_changes (table_id, record_key, id);
-- A record that changed its key is found again under both keys. Partial, so
-- that all other changes pay nothing for them.
CREATE INDEX audit_changes_key_arrival
    ON threadline.audit_changes (table_id, record_key, id) WHERE previous_key IS NOT NULL;
CREATE INDEX audit_changes_key_departure
    ON threadline.audit_changes (table_id, previous_key, id) WHERE previous_key IS NOT NULL;

COMMENT ON TABLE threadline.audit_changes IS
    'One row inserted, updated, deleted or truncated on an audited table';
COMMENT ON COLUMN threadline.audit_changes.op IS
    'I insert, U update, D delete, T truncate';
COMMENT ON COLUMN threadline.audit_changes.record_key IS
    'The primary key as text; several columns as a JSON array of texts';
COMMENT ON COLUMN threadline.audit_changes.previous_key IS
    'The key before an update that changed the key';
COMMENT ON COLUMN threadline.audit_changes.statement IS
    'For an update that changed the key: which statement of its transaction, so that keys swapped in bulk can be told apart';
COMMENT ON COLUMN threadline.audit_changes.changed_from IS
    'Update: the old values of the changed columns; truncate of more rows than the limit: {"rows": their number}';
COMMENT ON COLUMN threadline.audit_changes.changed_to IS
    'Update: the new values of the changed columns';
COMMENT ON COLUMN threadline.audit_changes.row_data IS
    'Insert: the row as inserted; delete and truncate: the row that went; update that changed the key: the row before';
