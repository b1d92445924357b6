-- Returns a table as FROM, UPDATE or DELETE take it, restricted to its own rows: the rows of an
-- inheritance child belong to the child, those of a partition to the table.
CREATE OR REPLACE FUNCTION threadline.own_rows(target regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT CASE WHEN c.relkind = 'p' THEN target::text ELSE 'ONLY ' || target END FROM pg_class AS c WHERE c.oid = target;
END;
