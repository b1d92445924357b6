-- Returns how values name the records of a table, for threadline.key_named(): the type under any
-- domain of its key; 'case-insensitive' if that compares without regard to case.
CREATE OR REPLACE FUNCTION threadline.key_type(target regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off
BEGIN ATOMIC
    SELECT CASE
        WHEN base.typname = 'citext' OR NOT c.collisdeterministic THEN 'case-insensitive'
        ELSE base.oid::regtype::text END
    FROM threadline.key_columns_of(target) AS k
    JOIN pg_attribute AS a ON a.attrelid = target AND a.attname = k.name
    JOIN pg_type AS base ON base.oid = threadline.base_type(k.type)
    LEFT JOIN pg_collation AS c ON c.oid = a.attcollation
    LIMIT 1;
END;
