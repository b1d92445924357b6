-- A table as FROM, UPDATE or DELETE take it, for the rows that are its own: what an inheritance child
-- holds is the child's, what a partition holds is the table's.
CREATE FUNCTION threadline.own_rows(target regclass) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT CASE WHEN c.relkind = 'p' THEN target::text ELSE 'ONLY ' || target END FROM pg_class AS c WHERE c.oid = target;
END;
