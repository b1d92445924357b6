SELECT r.key, threadline.exact_image(r.image, t.numeric_columns, t.columns)
FROM threadline.rows_as_of({0}::regclass, {1}) AS r
LEFT JOIN threadline.audited_tables AS t ON t.id = threadline.audited_table_of({0}::regclass)
