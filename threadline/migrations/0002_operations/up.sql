ALTER TABLE threadline.journal ADD COLUMN application_name text;
ALTER TABLE threadline.unposted ADD COLUMN application_name text;
ALTER TABLE threadline.ledger_transactions ADD COLUMN application_name text;
COMMENT ON COLUMN threadline.journal.application_name IS
    'The setting application_name, in the first entry under a context';
COMMENT ON COLUMN threadline.ledger_transactions.application_name IS
    'The setting application_name of the session; NULL: it was empty, or recorded before version 2 of the audit schema';
COMMENT ON COLUMN threadline.journal.depth IS
    'Trigger depth at which the row was written; 1: by a statement of the client; negative: this version was replaced, or locked, before it was captured';
-- A publication FOR ALL TABLES would refuse to let posting delete from a table without one.
ALTER TABLE threadline.journal REPLICA IDENTITY FULL;
ALTER TABLE threadline.unposted REPLICA IDENTITY FULL;

-- How long the audit is kept. A table's policy says so for its changes.
CREATE TABLE threadline.retention (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    floor    interval,
    actions  interval
);
INSERT INTO threadline.retention DEFAULT VALUES;
COMMENT ON TABLE threadline.retention IS
    'One row, locked during a purge: the minimum retention period, and that of actions; NULL: no limit';
ALTER TABLE threadline.audited_tables ADD COLUMN kept_since timestamptz;
COMMENT ON COLUMN threadline.audited_tables.kept_since IS
    'Changes before were removed as its policy says, or are being; NULL: none';
ALTER TABLE threadline.audited_tables ADD COLUMN began_as text[];
COMMENT ON COLUMN threadline.audited_tables.began_as IS
    'The schema and the name under which its audit began; NULL: before version 2 of the audit schema';

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
-- Contexts that a transaction opened an hour or more after it began; few. Compared in UTC, so
-- that the condition is immutable, and holds of infinite instants.
CREATE INDEX ledger_transactions_late
    ON threadline.ledger_transactions (opened_at, id)
    WHERE opened_at AT TIME ZONE 'UTC' > occurred_at AT TIME ZONE 'UTC' + interval '1 hour';

ALTER TABLE threadline.audited_tables ADD COLUMN personal_data jsonb NOT NULL DEFAULT '{"columns": [], "subject": {}}';
COMMENT ON COLUMN threadline.audited_tables.personal_data IS
    'What of the table belongs to a person: as the policy has it, and what was dropped since';

ALTER TABLE threadline.audited_tables ADD COLUMN former_keys jsonb;
COMMENT ON COLUMN threadline.audited_tables.former_keys IS
    'The primary keys that the table had before: [{"columns", "types", "until", "last_id"}], oldest first; changes up to last_id have this key, or an earlier one; NULL: none';

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

ALTER TABLE threadline.audit_actions ADD COLUMN source text;
ALTER TABLE threadline.audit_actions ADD COLUMN remote_ip inet;
ALTER TABLE threadline.audit_actions ADD COLUMN application_name text;
-- Apart, so that actions that are there do not get the name of whoever upgrades.
ALTER TABLE threadline.audit_actions ALTER COLUMN application_name SET DEFAULT nullif(pg_catalog.current_setting('application_name'), '');
COMMENT ON COLUMN threadline.audit_actions.application_name IS
    'The setting application_name of the session; NULL: it was empty, or recorded before version 2 of the audit schema';
COMMENT ON COLUMN threadline.audit_actions.source IS
    'Which way the action came; NULL also where it was recorded before version 2 of the audit schema';
COMMENT ON COLUMN threadline.audit_actions.remote_ip IS
    'The client''s address; NULL also where it was recorded before version 2 of the audit schema';

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
CREATE INDEX audit_actions_source
    ON threadline.audit_actions (source, transaction_id) WHERE source IS NOT NULL;

-- The same order as before, and those of no transaction, too.
DROP INDEX threadline.audit_actions_category;
DROP INDEX threadline.audit_actions_request;
DROP INDEX threadline.audit_actions_correlation;
DROP INDEX threadline.audit_actions_job;
CREATE INDEX audit_actions_category
    ON threadline.audit_actions (category, transaction_id);
CREATE INDEX audit_actions_request
    ON threadline.audit_actions (request_id, transaction_id) WHERE request_id IS NOT NULL;
CREATE INDEX audit_actions_correlation
    ON threadline.audit_actions (correlation_id, transaction_id) WHERE correlation_id IS NOT NULL;
CREATE INDEX audit_actions_job
    ON threadline.audit_actions (job_id, transaction_id) WHERE job_id IS NOT NULL;

-- What was written without an actor is asked for in the order of transactions.
CREATE INDEX ledger_transactions_nobody
    ON threadline.ledger_transactions (id) WHERE actor_type IS NULL;

-- All entries of these indexes differ, because an id is in each. On a full page, PostgreSQL looks for
-- equal ones in vain.
ALTER INDEX threadline.ledger_changes_table SET (deduplicate_items = off);
ALTER INDEX threadline.ledger_changes_record SET (deduplicate_items = off);
ALTER INDEX threadline.ledger_changes_removal SET (deduplicate_items = off);
ALTER INDEX threadline.ledger_transactions_actor SET (deduplicate_items = off);
ALTER INDEX threadline.ledger_transactions_actor_type SET (deduplicate_items = off);
ALTER INDEX threadline.ledger_transactions_opened SET (deduplicate_items = off);
ALTER INDEX threadline.ledger_transactions_xact SET (deduplicate_items = off);
ALTER INDEX threadline.ledger_transactions_source SET (deduplicate_items = off);
ALTER INDEX threadline.ledger_transactions_request SET (deduplicate_items = off);
ALTER INDEX threadline.ledger_transactions_correlation SET (deduplicate_items = off);
ALTER INDEX threadline.ledger_transactions_job SET (deduplicate_items = off);
