-- Capture appends to it, and posting empties it. It has no index, so that writers pay only for a
-- row. Rows stay below the size at which PostgreSQL compresses them, because they do not stay
-- long.
CREATE SEQUENCE threadline.entry_ids;

CREATE TABLE threadline.journal (
    id             bigint NOT NULL,
    transaction_id bigint NOT NULL,
    xact_id        xid8 NOT NULL,
    occurred_at    timestamptz NOT NULL,
    captured_at    timestamptz NOT NULL,
    op             "char" NOT NULL,
    table_id       integer,
    relation       oid,
    depth          smallint,
    old_place      tid,
    new_place      tid,
    command        cid,
    old_row        jsonb,
    new_row        jsonb,
    changed        text[],
    context        text,
    session_user_name text
) WITH (
    toast_tuple_target = 8160,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 10000,
    autovacuum_vacuum_insert_threshold = -1,
    autovacuum_vacuum_cost_delay = 0
);
COMMENT ON TABLE threadline.journal IS
    'Changes as the triggers saw them, until threadline.post() moves them into the ledger';
COMMENT ON COLUMN threadline.journal.transaction_id IS
    'The first entry of the database transaction under the same context; the id of the AuditTransaction';
COMMENT ON COLUMN threadline.journal.op IS
    'I insert, U update, D delete, T truncate; C: no change, only the context of an action';
COMMENT ON COLUMN threadline.journal.depth IS
    'Trigger depth at which the row was written; 1: by a statement of the client';
COMMENT ON COLUMN threadline.journal.old_place IS
    'The location of the old row version; with new_place it links the versions of a row within a transaction';
COMMENT ON COLUMN threadline.journal.command IS
    'Update: the command within the transaction, which distinguishes keys swapped in bulk';
COMMENT ON COLUMN threadline.journal.changed IS
    'The redacted columns that an update changed, which the images do not show';
COMMENT ON COLUMN threadline.journal.context IS
    'The setting threadline.context; only in the first entry under it';

ALTER SEQUENCE threadline.entry_ids OWNED BY threadline.journal.id;

-- The lock of posting, and the last position that was given.
CREATE TABLE threadline.posting (
    only_row      boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    last_position bigint NOT NULL,
    posted_at     timestamptz
);
INSERT INTO threadline.posting (last_position) VALUES (0);
COMMENT ON TABLE threadline.posting IS
    'One row, locked while a session posts: the last position given, and when';

CREATE TABLE threadline.unposted (
    LIKE threadline.journal,
    error        text NOT NULL,
    set_aside_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);
COMMENT ON TABLE threadline.unposted IS
    'Entries of the journal that could not be posted, and why; threadline.post_again() tries them again';
