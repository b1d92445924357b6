-- Numbers, names and types of a relation's columns, how they are compared, and what
-- they are generated from: another one now asks for threadline.refresh(). A dump and
-- restore does, too, if it closes the gap that a dropped column left in the numbers.
CREATE FUNCTION threadline.fingerprint(target regclass) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off
BEGIN ATOMIC
    SELECT md5(coalesce(
        string_agg(
            c.number || ' ' || quote_ident(c.name) || ' ' || c.type::oid::regtype::text || CASE WHEN c.bitwise THEN '' ELSE ' by image' END
                || coalesce((
                    SELECT ' generated as ' || pg_get_expr(d.adbin, d.adrelid)
                    FROM pg_attrdef AS d
                    JOIN pg_attribute AS a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
                    WHERE d.adrelid = target AND d.adnum = c.number AND a.attgenerated <> ''), ''),
            ',' ORDER BY c.number), ''))
    FROM threadline.columns_of(target) AS c;
END;
