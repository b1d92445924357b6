-- No other session writes in between, so the recorded rows are the removed ones.
LOCK TABLE bench.limit_parents, bench.limit_children IN SHARE ROW EXCLUSIVE MODE;

INSERT INTO threadline.ledger_changes (id, transaction_id, captured_at, table_id, op, record_key, row_data, position)
SELECT nextval('threadline.entry_ids'), currval('bench.limit_transactions'), clock_timestamp(), p.id, 'D', row.id::text,
       to_jsonb(row), nextval('bench.limit_positions')
FROM bench.limit_parents AS row, threadline.audited_tables AS p
WHERE p.table_name = 'limit_parents';

INSERT INTO threadline.ledger_changes (id, transaction_id, captured_at, table_id, op, record_key, row_data, position)
SELECT nextval('threadline.entry_ids'), currval('bench.limit_transactions'), clock_timestamp(), c.id, 'D', row.id::text,
       to_jsonb(row), nextval('bench.limit_positions')
FROM bench.limit_children AS row, threadline.audited_tables AS c
WHERE c.table_name = 'limit_children';

DELETE FROM bench.limit_parents;
