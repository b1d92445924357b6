-- The version of the capture code. Functions built by an older one are built
-- anew with threadline.refresh().
CREATE FUNCTION threadline.capture_version() RETURNS integer
LANGUAGE sql IMMUTABLE
RETURN 2;
