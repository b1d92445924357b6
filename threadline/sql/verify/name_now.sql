-- Returns the present name of an audited table; the one that the audit noted if the table is gone.
CREATE OR REPLACE FUNCTION threadline.name_now(audited_table integer, OUT schema_name text, OUT table_name text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT coalesce(n.nspname, t.schema_name), coalesce(c.relname, t.table_name)
    FROM threadline.audited_tables AS t
    LEFT JOIN pg_catalog.pg_class AS c ON c.oid = threadline.locate_table(t.id)
    LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE t.id = audited_table;
END;
