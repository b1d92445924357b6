-- Nobody else writes between, so that what is recorded is what goes.
LOCK TABLE bench.limit_{width} IN SHARE ROW EXCLUSIVE MODE;

INSERT INTO threadline.audit_changes (transaction_id, captured_at, table_id, op, record_key, row_data)
SELECT currval('threadline.audit_transactions_id_seq'), clock_timestamp(), {table_id}, 'D', row.id::text, to_jsonb(row)
FROM bench.limit_{width} AS row;

DELETE FROM bench.limit_{width};
