-- Numbers, names and types of a relation's columns: another one now asks for
-- threadline.refresh(). A dump and restore does, too, if it closes the gap that
-- a dropped column left in the numbers.
CREATE FUNCTION threadline.fingerprint(target regclass) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT md5(string_agg(c.number || ' ' || quote_ident(c.name) || ' ' || c.type::oid::regtype::text, ',' ORDER BY c.number))
    FROM threadline.columns_of(target) AS c;
END;
