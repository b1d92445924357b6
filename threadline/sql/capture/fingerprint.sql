-- Numbers, names and types of a relation's columns, and how they are compared:
-- another one now asks for threadline.refresh(). A dump and restore does, too, if
-- it closes the gap that a dropped column left in the numbers.
CREATE FUNCTION threadline.fingerprint(target regclass) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off
BEGIN ATOMIC
    SELECT md5(
        string_agg(
            c.number || ' ' || quote_ident(c.name) || ' ' || c.type::oid::regtype::text || CASE WHEN c.bitwise THEN '' ELSE ' by image' END,
            ',' ORDER BY c.number)
        || CASE WHEN threadline.further_column(target, max(c.number)) THEN ', and more' ELSE '' END)
    FROM threadline.columns_of(target) AS c;
END;
