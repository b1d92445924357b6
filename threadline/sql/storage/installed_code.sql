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
