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
    deparsed_condition text,
    kept_since      timestamptz,
    began_as        text[] NOT NULL,
    personal_data   jsonb NOT NULL DEFAULT '{"columns": [], "subject": {}}',
    former_keys     jsonb
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
COMMENT ON COLUMN threadline.audited_tables.kept_since IS
    'Changes before were removed as its policy says, or are being; NULL: none';
COMMENT ON COLUMN threadline.audited_tables.began_as IS
    'The schema and the name under which its audit began';
COMMENT ON COLUMN threadline.audited_tables.personal_data IS
    'What of the table belongs to a person: as the policy has it, and what was dropped since';
COMMENT ON COLUMN threadline.audited_tables.former_keys IS
    'The primary keys that the table had before: [{"columns", "types", "until", "last_id"}], oldest first; changes up to last_id have this key, or an earlier one; NULL: none';
COMMENT ON COLUMN threadline.audited_tables.truncate_limit IS
    'A TRUNCATE of more rows than this is recorded as one change with the number of rows';

CREATE TABLE threadline.altered_columns (
    table_id   integer NOT NULL,
    name       text NOT NULL,
    what       text NOT NULL,
    altered_at timestamptz NOT NULL,
    noted_at   timestamptz NOT NULL,
    labels     jsonb
);
COMMENT ON TABLE threadline.altered_columns IS
    'Columns of audited tables that a command altered, noted by threadline.audit() and threadline.refresh(): of its values, no change is on record';
COMMENT ON COLUMN threadline.altered_columns.name IS
    'What the column was called when this was noted';
COMMENT ON COLUMN threadline.altered_columns.what IS
    'added, recorded (its values are on record only since then), dropped, converted (another type, or all rows were written anew), relabelled (labels of its enum, or attributes of its composite type, got other names)';
COMMENT ON COLUMN threadline.altered_columns.altered_at IS
    'Changes recorded before this precede the alteration';
COMMENT ON COLUMN threadline.altered_columns.labels IS
    'Relabelled: {"former": "now"}';
CREATE TABLE threadline.known_partitions (
    table_id integer NOT NULL,
    part     oid NOT NULL,
    name     text NOT NULL,
    rows_of  text,
    known_at timestamptz NOT NULL,
    left_at  timestamptz,
    left_by  text,
    noted_at timestamptz,
    had_rows boolean NOT NULL DEFAULT false,
    PRIMARY KEY (table_id, part)
);
COMMENT ON TABLE threadline.known_partitions IS
    'The partitions of audited tables, noted by threadline.audit(), threadline.refresh() and threadline.watch(), also those that were detached or dropped since';
COMMENT ON COLUMN threadline.known_partitions.left_by IS
    'The role that detached or dropped it, as threadline.watch() saw; NULL: there was no event trigger';
COMMENT ON COLUMN threadline.known_partitions.noted_at IS
    'When threadline.refresh() noted that it had left';
COMMENT ON COLUMN threadline.known_partitions.had_rows IS
    'Whether it could have rows when the audit of the table began: they are not on record';
COMMENT ON COLUMN threadline.known_partitions.rows_of IS
    'The condition of the rows that it holds; NULL: not known, or not to be evaluated';

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
    session_user_name text,
    application_name text
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
    'Trigger depth at which the row was written; 1: by a statement of the client; negative: this version was replaced, or locked, before it was captured';
COMMENT ON COLUMN threadline.journal.old_place IS
    'The location of the old row version; with new_place it links the versions of a row within a transaction';
COMMENT ON COLUMN threadline.journal.command IS
    'The command within the transaction that wrote or deleted the version; it distinguishes keys swapped in bulk';
COMMENT ON COLUMN threadline.journal.changed IS
    'The redacted columns that an update changed, which the images do not show';
COMMENT ON COLUMN threadline.journal.context IS
    'The setting threadline.context; only in the first entry under it';
COMMENT ON COLUMN threadline.journal.application_name IS
    'The setting application_name, in the first entry under a context';
-- A publication FOR ALL TABLES would refuse to let posting delete from a table without one.
ALTER TABLE threadline.journal REPLICA IDENTITY FULL;

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
ALTER TABLE threadline.unposted REPLICA IDENTITY FULL;
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
    context_error  text,
    application_name text
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
COMMENT ON COLUMN threadline.ledger_transactions.application_name IS
    'The setting application_name of the session; NULL: it was empty';
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
    ON threadline.ledger_changes (table_id, transaction_id, id) WITH (deduplicate_items = off);
CREATE INDEX ledger_changes_record
    ON threadline.ledger_changes (table_id, record_key, id) WITH (deduplicate_items = off);
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
    meta           jsonb,
    source         text,
    remote_ip      inet,
    application_name text DEFAULT nullif(pg_catalog.current_setting('application_name'), '')
);
COMMENT ON TABLE threadline.audit_actions IS
    'A semantic event that the application records: its actor, name, reason and outcome';
COMMENT ON COLUMN threadline.audit_actions.source IS
    'Which way the action came';
COMMENT ON COLUMN threadline.audit_actions.remote_ip IS
    'The client''s address';
COMMENT ON COLUMN threadline.audit_actions.application_name IS
    'The setting application_name of the session; NULL: it was empty';

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

CREATE TABLE threadline.suspended_writes (
    table_id    integer NOT NULL,
    xact_id     xid8 NOT NULL,
    occurred_at timestamptz NOT NULL,
    ended_at    timestamptz,
    PRIMARY KEY (table_id, xact_id, occurred_at)
);
CREATE INDEX suspended_writes_ended
    ON threadline.suspended_writes (table_id, ended_at);
CREATE INDEX suspended_writes_open
    ON threadline.suspended_writes (table_id) WHERE ended_at IS NULL;
COMMENT ON TABLE threadline.suspended_writes IS
    'The transactions that wrote to an audited table while capture was suspended';
COMMENT ON COLUMN threadline.suspended_writes.ended_at IS
    'When threadline.post() first saw that it had ended; NULL: not yet';

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
-- the changes of a transaction are found by its id. The indexes without deduplication have an id
-- in each entry: PostgreSQL would look for equal entries on full pages in vain.
CREATE INDEX ledger_transactions_actor
    ON threadline.ledger_transactions (actor_type, actor_id, id) WITH (deduplicate_items = off);
CREATE INDEX ledger_transactions_actor_type
    ON threadline.ledger_transactions (actor_type, id) WITH (deduplicate_items = off);
-- What was written without an actor is asked for in the order of transactions.
CREATE INDEX ledger_transactions_nobody
    ON threadline.ledger_transactions (id) WHERE actor_type IS NULL;
CREATE INDEX ledger_transactions_opened
    ON threadline.ledger_transactions (opened_at, id) WITH (deduplicate_items = off);
CREATE INDEX ledger_transactions_extended
    ON threadline.ledger_transactions (extended_until, id) WHERE extended_until IS NOT NULL;
-- Contexts that a transaction opened an hour or more after it began; few. Compared in UTC, so
-- that the condition is immutable, and holds of infinite instants.
CREATE INDEX ledger_transactions_late
    ON threadline.ledger_transactions (opened_at, id)
    WHERE opened_at AT TIME ZONE 'UTC' > occurred_at AT TIME ZONE 'UTC' + interval '1 hour';
-- The contexts of one database transaction belong together.
CREATE INDEX ledger_transactions_xact
    ON threadline.ledger_transactions (xact_id, id) WITH (deduplicate_items = off);
CREATE INDEX ledger_transactions_source
    ON threadline.ledger_transactions (source, id) WITH (deduplicate_items = off) WHERE source IS NOT NULL;
CREATE INDEX ledger_transactions_request
    ON threadline.ledger_transactions (request_id, id) WITH (deduplicate_items = off) WHERE request_id IS NOT NULL;
CREATE INDEX ledger_transactions_correlation
    ON threadline.ledger_transactions (correlation_id, id) WITH (deduplicate_items = off) WHERE correlation_id IS NOT NULL;
CREATE INDEX ledger_transactions_job
    ON threadline.ledger_transactions (job_id, id) WITH (deduplicate_items = off) WHERE job_id IS NOT NULL;

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
CREATE INDEX audit_actions_transaction
    ON threadline.audit_actions (transaction_id, id) WHERE transaction_id IS NOT NULL;
CREATE INDEX audit_actions_name
    ON threadline.audit_actions (name, transaction_id) WHERE transaction_id IS NOT NULL;
CREATE INDEX audit_actions_failed
    ON threadline.audit_actions (status, transaction_id) WHERE transaction_id IS NOT NULL AND status <> 'ok';
CREATE INDEX audit_actions_category
    ON threadline.audit_actions (category, transaction_id);
CREATE INDEX audit_actions_request
    ON threadline.audit_actions (request_id, transaction_id) WHERE request_id IS NOT NULL;
CREATE INDEX audit_actions_correlation
    ON threadline.audit_actions (correlation_id, transaction_id) WHERE correlation_id IS NOT NULL;
CREATE INDEX audit_actions_job
    ON threadline.audit_actions (job_id, transaction_id) WHERE job_id IS NOT NULL;
CREATE INDEX audit_actions_source
    ON threadline.audit_actions (source, transaction_id) WHERE source IS NOT NULL;

-- Deletions are few among changes, and operators often look for them.
CREATE INDEX ledger_changes_removal
    ON threadline.ledger_changes (op, transaction_id, id) WITH (deduplicate_items = off) WHERE op IN ('D', 'T');

-- How long the audit is kept. A table's policy says so for its changes.
CREATE TABLE threadline.retention (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    floor    interval,
    actions  interval
);
INSERT INTO threadline.retention DEFAULT VALUES;
COMMENT ON TABLE threadline.retention IS
    'One row, locked during a purge: the minimum retention period, and that of actions; NULL: no limit';

-- Of each record of which changes were purged.
CREATE TABLE threadline.kept_images (
    table_id       integer NOT NULL,
    record_key     text COLLATE "C" NOT NULL,
    id             bigint NOT NULL,
    transaction_id bigint NOT NULL,
    statement      integer,
    captured_at    timestamptz NOT NULL,
    is_whole       boolean NOT NULL,
    image          jsonb,
    PRIMARY KEY (table_id, record_key)
);
COMMENT ON TABLE threadline.kept_images IS
    'The image of each record after its last purged change';
COMMENT ON COLUMN threadline.kept_images.id IS
    'The id of the last change that the image includes';
COMMENT ON COLUMN threadline.kept_images.is_whole IS
    'Whether its beginning was on record, or only what changed';
COMMENT ON COLUMN threadline.kept_images.image IS
    'NULL during a purge: the record was deleted';

-- Of each purged change of a key, so that a record is found under all the keys that it had.
CREATE TABLE threadline.moved_keys (
    table_id     integer NOT NULL,
    id           bigint NOT NULL,
    previous_key text COLLATE "C" NOT NULL,
    record_key   text COLLATE "C" NOT NULL,
    PRIMARY KEY (table_id, id, record_key)
);
CREATE INDEX moved_keys_previous
    ON threadline.moved_keys (table_id, previous_key);
CREATE INDEX moved_keys_record
    ON threadline.moved_keys (table_id, record_key);
COMMENT ON TABLE threadline.moved_keys IS
    'Keys that records got in purged changes, and those that they had before';
COMMENT ON COLUMN threadline.moved_keys.id IS
    'The id of the change';

CREATE TABLE threadline.legal_holds (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    reason         text NOT NULL,
    table_id       integer,
    record_keys    text[] COLLATE "C",
    actor_type     text,
    actor_id       text,
    correlation_id text,
    placed_at      timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    placed_by      text NOT NULL,
    released_at    timestamptz,
    released_by    text
);
COMMENT ON TABLE threadline.legal_holds IS
    'Legal holds: changes that meet all given conditions are not purged';

CREATE TABLE threadline.purges (
    id                  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    table_id            integer,
    kept_since          timestamptz NOT NULL,
    action_id           bigint NOT NULL,
    purged_by           text NOT NULL,
    begun_at            timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    ended_at            timestamptz,
    purged              bigint NOT NULL DEFAULT 0,
    transactions        bigint NOT NULL DEFAULT 0,
    bytes               bigint NOT NULL DEFAULT 0,
    images              text NOT NULL DEFAULT 'by batch' CHECK (images IN ('by batch', 'ahead')),
    kept_transaction    bigint NOT NULL DEFAULT -1,
    kept_id             bigint NOT NULL DEFAULT -1,
    kept_position       bigint,
    reached_transaction bigint NOT NULL DEFAULT -1,
    reached_id          bigint NOT NULL DEFAULT -1,
    sweeps              boolean NOT NULL DEFAULT false,
    swept_transaction   bigint NOT NULL DEFAULT -1,
    swept_id            bigint NOT NULL DEFAULT -1
);
COMMENT ON COLUMN threadline.purges.sweeps IS
    'Whether everything from before kept_since was posted when the run began, so that no change can come before one that it removed';
COMMENT ON COLUMN threadline.purges.swept_id IS
    'Up to this change, with its swept_transaction, nothing of the table is left';
COMMENT ON TABLE threadline.purges IS
    'The runs of threadline.purge(), and the progress of the current one';
COMMENT ON COLUMN threadline.purges.table_id IS
    'NULL: the run removes actions';
COMMENT ON COLUMN threadline.purges.bytes IS
    'What the removed rows took, without their indexes';
COMMENT ON COLUMN threadline.purges.images IS
    'When the images of records are kept: with each batch of changes, or ahead of them, as far as kept_transaction and kept_id';

CREATE TABLE threadline.erasures (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject_table     text NOT NULL,
    record_key        text COLLATE "C" NOT NULL,
    record_keys       text[] COLLATE "C" NOT NULL,
    plan              jsonb NOT NULL,
    chosen_columns    text[],
    actor_type        text,
    actor_id          text,
    actions           bigint[],
    reason            text NOT NULL,
    action_id         bigint NOT NULL,
    erased_by         text NOT NULL,
    begun_at          timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    ended_at          timestamptz,
    changes           bigint NOT NULL DEFAULT 0,
    texts             bigint NOT NULL DEFAULT 0,
    looked_through    integer NOT NULL DEFAULT -1,
    reached_transaction bigint NOT NULL DEFAULT -1,
    reached_id        bigint NOT NULL DEFAULT -1,
    found_at          timestamptz,
    reached_position  bigint NOT NULL,
    unreached         text[] NOT NULL DEFAULT '{}'
);
COMMENT ON TABLE threadline.erasures IS
    'Whose recorded values were made unreadable, by whom, when and why, and how far the ones that go on have come; no values';
COMMENT ON COLUMN threadline.erasures.record_keys IS
    'Every key that the record has had';
COMMENT ON COLUMN threadline.erasures.plan IS
    '[{"table_id", "columns", "by": columns that name the person, "gone" and "by_gone": those that were dropped before another column got the name, "at": when these were the names, "itself": whether it is the table of the record, "key_type": how values name its records}]';
COMMENT ON COLUMN threadline.erasures.texts IS
    'Actions and transactions of which texts were erased';
COMMENT ON COLUMN threadline.erasures.reached_position IS
    'Up to which change of the ledger what belongs to the person is known';
COMMENT ON COLUMN threadline.erasures.unreached IS
    'Names under which records of the person have values that belong to no known column';
CREATE TABLE threadline.erased_records (
    erasure_id bigint NOT NULL,
    table_id   integer NOT NULL,
    record_key text COLLATE "C" NOT NULL,
    owners     jsonb,
    reached_id bigint NOT NULL DEFAULT -1,
    done       boolean NOT NULL DEFAULT false,
    PRIMARY KEY (erasure_id, table_id, record_key)
);
COMMENT ON TABLE threadline.erased_records IS
    'The records that belong, or belonged for some time, to the person of an erasure';
COMMENT ON COLUMN threadline.erased_records.owners IS
    'Whom the columns of its plan named after the last change that was erased';
COMMENT ON COLUMN threadline.erased_records.reached_id IS
    'The last of its changes that was looked at';
