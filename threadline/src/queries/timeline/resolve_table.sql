SELECT t.id,
       coalesce(t.key_columns, ARRAY[]::text[]),
       (SELECT coalesce(string_agg(format('%I.%I', schema_name, table_name), ', ' ORDER BY schema_name, table_name), 'none')
        FROM threadline.audited_tables)
FROM (SELECT threadline.find_audited_table({0}) AS id) AS found
LEFT JOIN threadline.audited_tables AS t USING (id)
