SELECT found.id IS NOT NULL,
       to_regclass({0}) IS NOT NULL,
       coalesce(t.key_columns, ARRAY[]::text[]),
       t.audited_since,
       ARRAY(SELECT CASE WHEN a.schema_name = current_schema() THEN quote_ident(a.table_name)
                         ELSE quote_ident(a.schema_name) || '.' || quote_ident(a.table_name) END
             FROM threadline.audited_tables AS a ORDER BY a.schema_name, a.table_name)
FROM (SELECT threadline.find_audited_table({0}) AS id) AS found
LEFT JOIN threadline.audited_tables AS t USING (id)
