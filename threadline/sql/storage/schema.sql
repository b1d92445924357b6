-- The audit schema. Everything lives in `threadline`, so that Diesel's
-- `print-schema` and `--diff-schema` on the application's schema stay clean.
CREATE SCHEMA threadline;
COMMENT ON SCHEMA threadline IS 'Audit trail recorded by Threadline';

CREATE TABLE threadline.schema_patches (
    version      integer PRIMARY KEY,
    installed_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE threadline.schema_patches IS
    'The patches of the audit schema that are installed, by whichever way they came';
