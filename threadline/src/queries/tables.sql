-- Every table that is or was audited, with the name that filters take.
SELECT t.id, t.schema_name, t.table_name,
       CASE WHEN t.schema_name = current_schema() THEN quote_ident(t.table_name)
            ELSE quote_ident(t.schema_name) || '.' || quote_ident(t.table_name) END,
       t.key_columns, t.audited_since, t.unaudited_at,
       CASE jsonb_typeof(t.columns) WHEN 'array' THEN t.columns ELSE '[]' END
FROM threadline.audited_tables AS t
ORDER BY t.schema_name <> current_schema(), t.schema_name, t.table_name
