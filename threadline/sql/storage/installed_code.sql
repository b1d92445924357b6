-- The objects of the schema when it was installed, and after each comparison with the code that
-- Threadline ships.
CREATE TABLE threadline.installed_code (
    object       text PRIMARY KEY,
    digest       text NOT NULL,
    shown_digest text,
    server_major integer NOT NULL
);
COMMENT ON TABLE threadline.installed_code IS
    'The objects of the schema threadline and a digest of each; threadline.audit_drift() compares them with those that are there';
COMMENT ON COLUMN threadline.installed_code.shown_digest IS
    'Of what PostgreSQL shows in its own words, such as a view; comparable on servers of the same major version';
