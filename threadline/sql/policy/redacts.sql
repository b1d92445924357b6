-- Returns whether a policy keeps any column of a row from the audit.
CREATE OR REPLACE FUNCTION threadline.redacts(policy jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN policy -> 'mask' <> '[]' OR policy -> 'exclude' <> '[]' OR policy OPERATOR(pg_catalog.?|) '{columns,hash}';
