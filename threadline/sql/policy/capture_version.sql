-- Returns the version of the capture code. threadline.refresh() rebuilds functions of an older
-- version.
CREATE OR REPLACE FUNCTION threadline.capture_version() RETURNS integer
LANGUAGE sql IMMUTABLE
RETURN 1;
