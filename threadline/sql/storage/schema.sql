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
