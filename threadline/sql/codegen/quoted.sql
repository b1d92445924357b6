-- Returns a name in quotes, also where SQL needs none, so that no name is read as a keyword of
-- PL/pgSQL.
CREATE OR REPLACE FUNCTION threadline.quoted(name text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN '"' || pg_catalog.replace(name, '"', '""') || '"';
