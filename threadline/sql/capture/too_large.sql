-- Returns what an image holds for a value that does not fit. The digest distinguishes two such
-- values, so that a change from one to the other is recorded.
CREATE OR REPLACE FUNCTION threadline.too_large(bytes integer, digest bytea) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN '[too large to record: ' || bytes || ' bytes, sha256:' || pg_catalog.encode(digest, 'hex') || ']';
