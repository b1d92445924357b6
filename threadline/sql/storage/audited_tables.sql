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
