-- Names and types of a relation's columns in their order. Column numbers are
-- left out: a dump and restore closes the gaps that dropped columns left.
CREATE FUNCTION threadline.fingerprint(target regclass) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT md5(string_agg(quote_ident(c.name) || ' ' || c.type::oid::regtype::text, ',' ORDER BY c.number))
    FROM threadline.columns_of(target) AS c;
END;
