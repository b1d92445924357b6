-- What stands in an image for a value that has no room there. The digest tells two of
-- them apart, so that a change from one to the other is seen.
CREATE FUNCTION threadline.too_large(bytes integer, digest bytea) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN '[too large to record: ' || bytes || ' bytes, sha256:' || pg_catalog.encode(digest, 'hex') || ']';
