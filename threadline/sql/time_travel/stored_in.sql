-- Returns the files that hold a table. If they differ after a command, the rows were rewritten.
CREATE OR REPLACE FUNCTION threadline.stored_in(target oid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT string_agg(c.relfilenode::text, ' ' ORDER BY c.oid)
    FROM pg_class AS c
    WHERE c.relkind = 'r' AND (c.oid = target OR c.oid IN (SELECT p.relid FROM pg_partition_tree(target::regclass) AS p));
END;
