-- Returns the id of a table that was audited under this name and no longer exists: the newest one
-- whose capture function no table's trigger calls. A table that was renamed keeps its history.
CREATE OR REPLACE FUNCTION threadline.former_table(schema_name text, table_name text) RETURNS integer
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT t.id
    FROM threadline.audited_tables AS t
    WHERE t.schema_name = former_table.schema_name AND t.table_name = former_table.table_name
      AND NOT EXISTS (
          SELECT FROM pg_trigger AS g JOIN pg_proc AS p ON p.oid = g.tgfoid
          WHERE p.pronamespace = 'threadline'::regnamespace AND p.proname = 'capture_' || t.id)
    ORDER BY t.id DESC
    LIMIT 1;
END;
