SELECT threadline.exact_image(l.image, t.numeric_columns, t.columns)
FROM threadline.audited_tables AS t
CROSS JOIN LATERAL (
    SELECT threadline.live_image(t.id, to_regclass({0}), threadline.record_key(t.id, ROW({key values}))) AS image
) AS l
WHERE t.id = threadline.find_audited_table({0}) AND to_regclass({0}) IS NOT NULL
