SELECT r.state, threadline.exact_image(r.image, t.numeric_columns, t.columns), r.transaction_id, r.change_id, CASE r.state WHEN 'purged' THEN t.kept_since ELSE t.audited_since END, NULL::jsonb, to_jsonb(r.unrecorded), NULL::jsonb, NULL::jsonb
FROM threadline.audited_tables AS t
CROSS JOIN LATERAL threadline.record_as_of(
    {table name}::regclass,
    threadline.record_key(t.id, ROW({key values})),
    {instant}
) AS r
WHERE t.id = threadline.audited_table_of({table name}::regclass)
