-- Returns whether PostgreSQL, to parse a condition, may run code that was written by a role other
-- than a superuser. Parsing turns a constant into a value: for an array or a composite type that
-- contains a domain, the domain's CHECK runs then, with the rights of the role that parses. A
-- condition that names nothing of another schema, on a table without such a domain, runs nothing.
-- The test is conservative: other conditions may be harmless too, and count as if they were not.
CREATE OR REPLACE FUNCTION threadline.parses_foreign_code(target regclass, condition text) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp
SET standard_conforming_strings = on AS $$
DECLARE
    tl_bare text := threadline.unquoted(condition);
BEGIN
    RETURN tl_bare ~ '[^[:ascii:]]'
        -- These may precede a dot: a row, PostgreSQL's own schema, or the digits of a number.
        OR strpos(regexp_replace(tl_bare, '(\m(old|new|pg_catalog)\s*[.])|(\m[0-9]+[.])|([.][0-9])', '', 'gi'), '.') > 0
        OR EXISTS (
            WITH RECURSIVE reached AS (
                SELECT a.atttypid AS type FROM pg_attribute AS a WHERE a.attrelid = target AND a.attnum > 0 AND NOT a.attisdropped
                UNION
                SELECT part.type
                FROM reached
                JOIN pg_type AS t ON t.oid = reached.type
                CROSS JOIN LATERAL (
                    SELECT t.typelem WHERE t.typelem <> 0
                    UNION ALL SELECT t.typbasetype WHERE t.typbasetype <> 0
                    UNION ALL SELECT a.atttypid FROM pg_attribute AS a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
                    UNION ALL SELECT r.rngsubtype FROM pg_range AS r WHERE t.oid IN (r.rngtypid, r.rngmultitypid)
                ) AS part (type)
            )
            SELECT
            FROM reached
            JOIN pg_type AS t ON t.oid = reached.type AND t.typtype = 'd'
            JOIN pg_roles AS author ON author.oid = t.typowner AND NOT author.rolsuper);
END
$$;
