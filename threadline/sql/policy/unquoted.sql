-- Returns a condition without its quoted parts.
CREATE OR REPLACE FUNCTION threadline.unquoted(condition text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN pg_catalog.regexp_replace(condition, '''[^'']*''|"[^"]*"', 'x', 'g');
