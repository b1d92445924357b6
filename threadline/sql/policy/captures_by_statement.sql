-- Whether whatever is written to a table is written by a statement on the table
-- itself, and to no other one; and is to be recorded whatever its rows are.
CREATE FUNCTION threadline.captures_by_statement(audited_table integer, target regclass) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT c.relkind = 'r' AND NOT c.relispartition
       AND NOT EXISTS (SELECT FROM pg_inherits AS i WHERE target::oid IN (i.inhrelid, i.inhparent))
       AND NOT EXISTS (SELECT FROM threadline.audited_tables AS t WHERE t.id = audited_table AND t.policy ? 'condition')
    FROM pg_class AS c
    WHERE c.oid = target;
END;
