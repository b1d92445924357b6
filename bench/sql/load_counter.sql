-- Fills a table with one row that was updated a million times, each time in a transaction of its
-- own, straight in the ledger. `scale` divides the million.
CREATE TABLE counter (id bigint PRIMARY KEY, version int);
SELECT threadline.audit('counter');

DO $$
DECLARE
    changes bigint := 1000000 / current_setting('bench.scale')::int;
    first bigint := (SELECT greatest((SELECT max(id) FROM threadline.ledger_changes), (SELECT max(id) FROM threadline.ledger_transactions)) + 1000);
    first_position bigint := (SELECT max(position) FROM threadline.ledger_changes);
    start_at timestamptz := '2026-01-01';
BEGIN
    ALTER TABLE counter DISABLE TRIGGER USER;
    INSERT INTO counter VALUES (1, changes);
    PERFORM threadline.refresh('counter');
    INSERT INTO threadline.ledger_transactions (
        id, xact_id, occurred_at, opened_at, actor_type, actor_id, actor_origin, request_id, source, session_user_name)
    SELECT first + n, (first + n)::text::xid8, at, at, 'job', 'counter', 'explicit', 'request-' || n, 'job', 'app'
    FROM generate_series(1, changes) AS n, LATERAL (SELECT start_at + n * interval '10 seconds' AS at) AS of;
    INSERT INTO threadline.ledger_changes (id, position, transaction_id, captured_at, table_id, op, record_key, changed_from, changed_to)
    SELECT first + n, first_position + n, first + n, start_at + n * interval '10 seconds', t.id, 'U', '1',
           jsonb_build_object('version', n - 1), jsonb_build_object('version', n)
    FROM generate_series(1, changes) AS n
    JOIN threadline.audited_tables AS t ON t.table_name = 'counter';
    UPDATE threadline.posting SET last_position = (SELECT max(position) FROM threadline.ledger_changes);
    PERFORM setval('threadline.entry_ids', (SELECT max(id) FROM threadline.ledger_changes));
END
$$;
