SELECT r.key, threadline.exact_image(r.image, (
           SELECT t.numeric_columns FROM threadline.audited_tables AS t WHERE t.id = threadline.audited_table_of({0}::regclass)))
FROM threadline.rows_as_of({0}::regclass, {1}) AS r
