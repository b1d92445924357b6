-- Returns threadline.fingerprint() without some columns, given by their numbers.
CREATE OR REPLACE FUNCTION threadline.fingerprint_but(target regclass, others smallint[]) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off
BEGIN ATOMIC
    SELECT md5(coalesce(
        string_agg(
            quote_ident(c.name) || ' ' || c.type::oid::regtype::text || CASE WHEN c.bitwise THEN '' ELSE ' by image' END
                || coalesce(' generated as ' || threadline.generation_of(target, c.number), ''),
            ',' ORDER BY c.number), ''))
    FROM threadline.columns_of(target) AS c
    WHERE c.number <> ALL (others);
END;
