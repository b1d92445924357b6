-- No other session writes in between, so the recorded rows are the removed ones.
LOCK TABLE bench.limit_{width} IN SHARE ROW EXCLUSIVE MODE;

INSERT INTO threadline.ledger_changes (id, transaction_id, captured_at, table_id, op, record_key, row_data, position)
SELECT nextval('threadline.entry_ids'), currval('bench.limit_transactions'), clock_timestamp(), {table_id}, 'D', row.id::text,
       to_jsonb(row), nextval('bench.limit_positions')
FROM bench.limit_{width} AS row;

DELETE FROM bench.limit_{width};
