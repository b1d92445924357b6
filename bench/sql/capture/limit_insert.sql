-- Two statements are cheaper than one that writes the rows and, from what it
-- returns, the changes: nothing is kept in between.
INSERT INTO bench.limit_{width} SELECT * FROM bench.source_{width} WHERE id <= {rows};

INSERT INTO threadline.audit_changes (transaction_id, captured_at, table_id, op, record_key, row_data)
SELECT currval('threadline.audit_transactions_id_seq'), clock_timestamp(), {table_id}, 'I', row.id::text, to_jsonb(row)
FROM bench.source_{width} AS row
WHERE id <= {rows};
