-- The limit writes the row and its change in one statement. Two statements, or one together with
-- the transaction row, cost the same.
PREPARE insert_{table} (bigint) AS
WITH row AS (
    INSERT INTO bench.{table} SELECT s.* FROM bench.source_{width} AS s WHERE s.id = $1 RETURNING *
)
INSERT INTO threadline.ledger_changes (id, transaction_id, captured_at, table_id, op, record_key, row_data, position)
SELECT nextval('threadline.entry_ids'), currval('bench.limit_transactions'), clock_timestamp(), {table_id}, 'I', row.id::text,
       to_jsonb(row), nextval('bench.limit_positions')
FROM row;

-- The application has read the row before, and knows its old values.
PREPARE update_{table} (bigint, int, int) AS
WITH row AS (
    UPDATE bench.{table} SET quantity = $3 WHERE id = $1 RETURNING id
)
INSERT INTO threadline.ledger_changes (
    id, transaction_id, captured_at, table_id, op, record_key, changed_from, changed_to, position)
SELECT nextval('threadline.entry_ids'), currval('bench.limit_transactions'), clock_timestamp(), {table_id}, 'U', row.id::text,
       jsonb_build_object('quantity', $2), jsonb_build_object('quantity', $3), nextval('bench.limit_positions')
FROM row;

PREPARE delete_{table} (bigint) AS
WITH row AS (
    DELETE FROM bench.{table} WHERE id = $1 RETURNING *
)
INSERT INTO threadline.ledger_changes (id, transaction_id, captured_at, table_id, op, record_key, row_data, position)
SELECT nextval('threadline.entry_ids'), currval('bench.limit_transactions'), clock_timestamp(), {table_id}, 'D', row.id::text,
       to_jsonb(row), nextval('bench.limit_positions')
FROM row;
