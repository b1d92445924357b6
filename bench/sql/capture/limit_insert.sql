-- Two statements are faster than one that writes the rows and, from their RETURNING, the changes:
-- nothing is kept in between.
INSERT INTO bench.limit_{width} SELECT * FROM bench.source_{width} WHERE id <= {rows};

INSERT INTO threadline.ledger_changes (id, transaction_id, captured_at, table_id, op, record_key, row_data, position)
SELECT nextval('threadline.entry_ids'), currval('bench.limit_transactions'), clock_timestamp(), {table_id}, 'I', row.id::text,
       to_jsonb(row), nextval('bench.limit_positions')
FROM bench.source_{width} AS row
WHERE id <= {rows};
