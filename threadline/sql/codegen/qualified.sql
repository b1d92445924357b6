-- Returns the name of a table with its schema, quoted as in SQL where that is needed: the same text
-- also under quote_all_identifiers, so that names can be compared.
CREATE OR REPLACE FUNCTION threadline.qualified(schema_name text, table_name text) RETURNS text
LANGUAGE sql STABLE
SET quote_all_identifiers = off
RETURN pg_catalog.format('%I.%I', schema_name, table_name);
