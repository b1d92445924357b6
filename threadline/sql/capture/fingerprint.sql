-- Names and types of a relation's columns, how they are compared, and what they are
-- generated from: another one now asks for threadline.refresh(). Their numbers are not
-- part of it: a dump and restore closes the gaps that dropped columns left.
CREATE FUNCTION threadline.fingerprint(target regclass) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off
BEGIN ATOMIC
    SELECT md5(coalesce(
        string_agg(
            quote_ident(c.name) || ' ' || c.type::oid::regtype::text || CASE WHEN c.bitwise THEN '' ELSE ' by image' END
                || coalesce(' generated as ' || threadline.generation_of(target, c.number), ''),
            ',' ORDER BY c.number), ''))
    FROM threadline.columns_of(target) AS c;
END;
