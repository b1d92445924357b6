-- No other session writes in between, so the recorded values are the changed ones. The
-- application knows the column and the new value.
LOCK TABLE bench.limit_{width} IN SHARE ROW EXCLUSIVE MODE;

INSERT INTO threadline.ledger_changes (
    id, transaction_id, captured_at, table_id, op, record_key, changed_from, changed_to, position)
SELECT nextval('threadline.entry_ids'), currval('bench.limit_transactions'), clock_timestamp(), {table_id}, 'U', id::text,
       jsonb_build_object('quantity', quantity), jsonb_build_object('quantity', quantity + 1), nextval('bench.limit_positions')
FROM bench.limit_{width};

UPDATE bench.limit_{width} SET quantity = quantity + 1;
