-- Fills a table whose rows were inserted once and updated four times, ten days apart, straight in
-- the ledger. `scale` divides a million rows and five million changes.
CREATE TABLE past (
    id bigint PRIMARY KEY, name text, status text, amount numeric(12,2), quantity int,
    note text, updated_at timestamptz, version int);
SELECT threadline.audit('past');

DO $$
DECLARE
    rows bigint := 1000000 / current_setting('bench.scale')::int;
    audited int := (SELECT id FROM threadline.audited_tables WHERE table_name = 'past');
    first bigint := (SELECT coalesce(max(id), 0) + 1000 FROM threadline.ledger_transactions);
    first_change bigint := (SELECT coalesce(max(id), 0) + 1000000 FROM threadline.ledger_changes);
    first_position bigint := (SELECT coalesce(max(position), 0) FROM threadline.ledger_changes);
    start_at timestamptz := '2025-01-01';
BEGIN
    ALTER TABLE past DISABLE TRIGGER USER;
    INSERT INTO past
    SELECT k, 'row ' || k, 'status-4', 14.00, 1, 'a note of some length on row ' || k, start_at, 4
    FROM generate_series(1, rows) AS k;
    PERFORM threadline.refresh('past');
    UPDATE threadline.audited_tables SET audited_since = '2024-01-01' WHERE id = audited;

    INSERT INTO threadline.ledger_transactions (
        id, xact_id, occurred_at, opened_at, actor_type, actor_id, actor_origin, session_user_name)
    SELECT first + i, (first + i)::text::xid8, at, at, 'job', 'prices', 'explicit', 'app'
    FROM generate_series(0, 4) AS i, LATERAL (SELECT start_at + i * interval '10 days' AS at) AS of;

    INSERT INTO threadline.ledger_changes (
        id, position, transaction_id, captured_at, table_id, op, record_key, changed_from, changed_to, row_data)
    SELECT first_change + i * rows + k, first_position + i * rows + k, first + i, start_at + i * interval '10 days', audited,
           CASE i WHEN 0 THEN 'I' ELSE 'U' END, k::text,
           CASE WHEN i > 0 THEN jsonb_build_object('status', 'status-' || i - 1, 'amount', 9.00 + i, 'version', i - 1) END,
           CASE WHEN i > 0 THEN jsonb_build_object('status', 'status-' || i, 'amount', 10.00 + i, 'version', i) END,
           CASE WHEN i = 0 THEN jsonb_build_object(
               'id', k, 'name', 'row ' || k, 'status', 'status-0', 'amount', 10.00, 'quantity', 1,
               'note', 'a note of some length on row ' || k, 'updated_at', '2025-01-01T00:00:00+00:00', 'version', 0) END
    FROM generate_series(0, 4) AS i, generate_series(1, rows) AS k;
END
$$;
