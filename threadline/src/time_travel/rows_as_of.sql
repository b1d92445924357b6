SELECT unnest(batch.keys), unnest(threadline.exact_images(batch.images, t.numeric_columns, t.columns))
FROM (
    SELECT array_agg(r.key) AS keys, array_agg(r.image) AS images
    FROM (
        SELECT r.*, sum(pg_column_size(r.image)) OVER (ROWS UNBOUNDED PRECEDING) / 200000 AS place
        FROM threadline.rows_as_of({0}::regclass, {1}) AS r
    ) AS r
    GROUP BY r.place
) AS batch
LEFT JOIN threadline.audited_tables AS t ON t.id = threadline.audited_table_of({0}::regclass)
