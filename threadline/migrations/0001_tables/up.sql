-- The audit schema. Everything lives in `threadline`, so that Diesel's
-- `print-schema` and `--diff-schema` on the application's schema stay clean.
CREATE SCHEMA threadline;
COMMENT ON SCHEMA threadline IS 'Audit trail recorded by Threadline';

CREATE TABLE threadline.schema_versions (
    version      integer PRIMARY KEY,
    installed_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    installed_by text
);
COMMENT ON TABLE threadline.schema_versions IS
    'The versions of the audit schema that were installed here; the highest one is in force';
COMMENT ON COLUMN threadline.schema_versions.installed_by IS
    'The version of the migration that installed it; only that migration reverts it; NULL: Models::install';

-- The objects of the schema when it was installed, and after each comparison with the code that
-- Threadline ships.
CREATE TABLE threadline.installed_code (
    object       text PRIMARY KEY,
    digest       text NOT NULL,
    shown_digest text,
    server_major integer NOT NULL
);
COMMENT ON TABLE threadline.installed_code IS
    'The installed objects of the schema threadline and a digest of each, with which threadline.audit_drift() compares the present ones';
COMMENT ON COLUMN threadline.installed_code.shown_digest IS
    'Digest of the text that PostgreSQL deparses, such as that of a view; comparable on servers of the same major version';

-- The partitions of audited tables, as threadline.watch() last saw them: nothing else identifies
-- a detached one.
CREATE TABLE threadline.watched_partitions (
    part     oid PRIMARY KEY,
    table_id integer NOT NULL
);
COMMENT ON TABLE threadline.watched_partitions IS
    'The partitions of audited tables that threadline.watch() has seen';

CREATE TABLE threadline.audited_tables (
    id              integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    schema_name     text NOT NULL,
    table_name      text NOT NULL,
    key_columns     text[] NOT NULL,
    key_types       text[] NOT NULL,
    policy          jsonb NOT NULL,
    columns         jsonb NOT NULL,
    masked_columns  text[] NOT NULL,
    numeric_columns text[] NOT NULL,
    relation        oid NOT NULL,
    fingerprint     text NOT NULL,
    capture_version integer NOT NULL,
    built_at        timestamptz NOT NULL DEFAULT pg_catalog.now(),
    audited_since   timestamptz NOT NULL DEFAULT pg_catalog.now(),
    unaudited_at    timestamptz,
    truncate_limit  bigint NOT NULL DEFAULT 100000,
    chained_since   timestamptz,
    deparsed_condition text
);
-- Images have the column names of their time.
CREATE TABLE threadline.renamed_columns (
    table_id    integer NOT NULL,
    former_name text NOT NULL,
    name        text,
    renamed_at  timestamptz NOT NULL
);
COMMENT ON TABLE threadline.renamed_columns IS
    'Columns of audited tables that got another name, noted by threadline.audit() and threadline.refresh()';

COMMENT ON COLUMN threadline.renamed_columns.name IS
    'NULL: the column was dropped, and a renamed one has its name';

COMMENT ON TABLE threadline.audited_tables IS
    'One row for every table that is or was audited; the capture function threadline.capture_<id> belongs to it';
COMMENT ON COLUMN threadline.audited_tables.built_at IS
    'When the capture function was built';
COMMENT ON COLUMN threadline.audited_tables.audited_since IS
    'Start of the present uninterrupted audit';
COMMENT ON COLUMN threadline.audited_tables.chained_since IS
    'Since when each change of a record follows from the one before; earlier the key was another, or not all changes were recorded; NULL: always';
COMMENT ON COLUMN threadline.audited_tables.deparsed_condition IS
    'The condition of the policy as PostgreSQL deparses it; equal to that of the row trigger, unless the trigger was changed';
COMMENT ON COLUMN threadline.audited_tables.policy IS
    'The arguments of threadline.audit(): {"mask": [...], "exclude": [...], "require_actor": bool}, and columns, operations, condition, plain, hash where they were given';
COMMENT ON COLUMN threadline.audited_tables.columns IS
    'The columns the capture function was built for: [{"number", "name", "type", "column_policy", "plain_since", "retyped_at", "hash_key"}]; column_policy is plain, hash, mask or exclude';
COMMENT ON COLUMN threadline.audited_tables.masked_columns IS
    'The columns for which images have placeholders or keyed hashes';
COMMENT ON COLUMN threadline.audited_tables.numeric_columns IS
    'The columns whose values need every digit; readers take them as strings';
COMMENT ON COLUMN threadline.audited_tables.relation IS
    'OID of the table when the capture function was built; a different OID means that the table was restored or created again';
COMMENT ON COLUMN threadline.audited_tables.truncate_limit IS
    'A TRUNCATE of more rows than this is recorded as one change with the number of rows';

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

-- The keys of columns that are recorded as keyed hashes, each prepared for HMAC (RFC 2104). For
-- the owner of the audit only: with a key, values can be guessed until one gives the hash; for
-- the same reason no function returns keyed hashes.
CREATE TABLE threadline.hash_keys (
    id        integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    inner_key bytea NOT NULL,
    outer_key bytea NOT NULL
);
COMMENT ON TABLE threadline.hash_keys IS
    'The keys of columns recorded as keyed hashes; deleting a key makes its hashes unlinkable';

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
