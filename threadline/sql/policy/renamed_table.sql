-- Returns the id of an audited table that had this name when it was audited or last refreshed, and
-- has another one now; the newest, if there are several.
CREATE OR REPLACE FUNCTION threadline.renamed_table(schema_name text, table_name text) RETURNS integer
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT max(t.id)
    FROM threadline.audited_tables AS t
    WHERE t.schema_name = renamed_table.schema_name AND t.table_name = renamed_table.table_name;
END;
