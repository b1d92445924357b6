-- A name in quotes, also where SQL needs none: words of PL/pgSQL would be taken for such.
CREATE FUNCTION threadline.quoted(name text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN '"' || pg_catalog.replace(name, '"', '""') || '"';
