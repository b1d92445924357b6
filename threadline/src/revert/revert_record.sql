SELECT threadline.revert_record(
    {table name}::regclass,
    threadline.record_key(ROW({key values}), t.key_types),
    {instant}
)
FROM threadline.audited_tables AS t
WHERE t.id = threadline.audited_table_of({table name}::regclass)
