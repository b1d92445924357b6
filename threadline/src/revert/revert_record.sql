SELECT t.schema_name || '.' || t.table_name,
       threadline.key_json(t.key_columns, t.key_types, record.key),
       threadline.revert_record({table name}::regclass, record.key, {instant})
FROM threadline.audited_tables AS t
CROSS JOIN LATERAL (SELECT threadline.record_key(t.id, ROW({key values})) OFFSET 0) AS record (key)
WHERE t.id = threadline.audited_table_of({table name}::regclass)
