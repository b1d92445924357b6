-- The columns that tables have, and had when they were last audited.
SELECT t.schema_name, t.table_name, ARRAY(
    SELECT a.attname::text FROM pg_attribute AS a
    WHERE a.attrelid = threadline.relation_of(t.id) AND a.attnum > 0 AND NOT a.attisdropped
    UNION
    SELECT k.name
    FROM jsonb_to_recordset(CASE jsonb_typeof(t.columns) WHEN 'array' THEN t.columns END) AS k (name text))
FROM threadline.audited_tables AS t
WHERE {0} ? jsonb_build_array(t.schema_name, t.table_name)::text
