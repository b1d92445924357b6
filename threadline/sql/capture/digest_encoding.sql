-- Returns the encoding in which texts are hashed, so that a text has the same hash after a restore
-- into a database of another encoding. PostgreSQL does not know that of texts in SQL_ASCII.
CREATE OR REPLACE FUNCTION threadline.digest_encoding() RETURNS name
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE pg_catalog.getdatabaseencoding() WHEN 'SQL_ASCII' THEN 'SQL_ASCII'::pg_catalog.name ELSE 'UTF8'::pg_catalog.name END;
