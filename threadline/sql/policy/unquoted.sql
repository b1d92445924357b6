-- A condition without what is in quotes.
CREATE FUNCTION threadline.unquoted(condition text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN pg_catalog.regexp_replace(condition, '''[^'']*''|"[^"]*"', 'x', 'g');
