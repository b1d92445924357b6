-- Writes the seven years until now of four tables straight into the ledger: each record is
-- inserted, updated, and now and then deleted and inserted again, at times of its own. Five
-- changes make a transaction. Deterministic, so that two runs query the same data.
CREATE TEMPORARY TABLE record AS
SELECT k, 1 + k % 4 AS number, k / 4 + 1 AS key, ceil(-ln(1 - pg_temp.roll(k, 1)) * 12)::int + 1 AS changes
FROM generate_series(0, current_setting('bench.changes')::bigint / 13) AS k;

DO $$
DECLARE
    start_at timestamptz := date_trunc('day', now()) - interval '7 years';
    span interval := now() - start_at - interval '1 hour';
    definition text;
    definitions text[];
BEGIN
    FOR t IN 1..4 LOOP
        EXECUTE format('CREATE TABLE kept_%s (
            id bigint PRIMARY KEY, name text, status text, amount numeric(12,2), quantity int,
            note text, updated_at timestamptz, version int)', t);
        EXECUTE format($i$INSERT INTO kept_%s
            SELECT r.key, 'row ' || r.key, 'status-' || (r.changes - 1) %% 5, 10.00, 1, 'a note of some length on row ' || r.key, '2026-01-01', r.changes - 1
            FROM record AS r
            WHERE r.number = %s AND (r.changes - 1) %% 20 <> 19$i$, t, t);
        PERFORM threadline.audit(format('kept_%s', t)::regclass, keep => '2 years');
    END LOOP;
    UPDATE threadline.audited_tables SET audited_since = start_at;

    SELECT array_agg(pg_get_indexdef(i.indexrelid)) INTO definitions
    FROM pg_index AS i
    WHERE i.indrelid IN ('threadline.ledger_changes'::regclass, 'threadline.ledger_transactions'::regclass) AND NOT i.indisprimary;
    FOR definition IN
        SELECT i.indexrelid::regclass FROM pg_index AS i
        WHERE i.indrelid IN ('threadline.ledger_changes'::regclass, 'threadline.ledger_transactions'::regclass) AND NOT i.indisprimary
    LOOP
        EXECUTE 'DROP INDEX ' || definition;
    END LOOP;

    INSERT INTO threadline.ledger_changes (
        id, position, transaction_id, captured_at, table_id, op, record_key, changed_from, changed_to, row_data)
    SELECT c.id, c.id, (c.id - 1) / 5 * 5 + 1, c.at, t.id, c.op, c.key::text,
           CASE WHEN c.op = 'U' THEN jsonb_build_object('status', 'status-' || (c.n - 1) % 5, 'version', c.n - 1) END,
           CASE WHEN c.op = 'U' THEN jsonb_build_object('status', 'status-' || c.n % 5, 'version', c.n) END,
           CASE WHEN c.op <> 'U' THEN jsonb_build_object(
               'id', c.key, 'name', 'row ' || c.key, 'status', 'status-' || v.n % 5, 'amount', 10.00,
               'quantity', 1, 'note', 'a note of some length on row ' || c.key, 'updated_at', '2026-01-01T00:00:00+00:00', 'version', v.n) END
    FROM (
        SELECT r.number, r.key, n, o.op, w.at, row_number() OVER (ORDER BY w.at, r.k, n) AS id
        FROM record AS r
        CROSS JOIN LATERAL generate_series(0, r.changes - 1) AS n
        CROSS JOIN LATERAL (SELECT start_at + span * ((n + pg_temp.roll(r.k * 256 + n, 2)) / r.changes) AS at) AS w
        CROSS JOIN LATERAL (SELECT CASE n % 20 WHEN 0 THEN 'I' WHEN 19 THEN 'D' ELSE 'U' END::"char" AS op) AS o
    ) AS c
    CROSS JOIN LATERAL (SELECT CASE c.op WHEN 'D' THEN c.n - 1 ELSE c.n END AS n) AS v
    JOIN threadline.audited_tables AS t ON t.table_name = 'kept_' || c.number;

    INSERT INTO threadline.ledger_transactions (
        id, xact_id, occurred_at, opened_at, extended_until, actor_type, actor_id, actor_origin, request_id,
        correlation_id, source, session_user_name)
    SELECT c.transaction_id, (c.transaction_id + 1000)::text::xid8, min(c.captured_at), min(c.captured_at),
           CASE WHEN max(c.captured_at) - min(c.captured_at) >= interval '1 hour' THEN max(c.captured_at) + interval '1 second' END,
           'user', floor(power(20000, pg_temp.roll(c.transaction_id, 3)))::text, 'explicit',
           'request-' || c.transaction_id, 'correlation-' || c.transaction_id / 15, 'web', 'app'
    FROM threadline.ledger_changes AS c
    GROUP BY c.transaction_id
    ORDER BY c.transaction_id;

    FOREACH definition IN ARRAY definitions LOOP
        EXECUTE definition;
    END LOOP;
    UPDATE threadline.posting SET last_position = (SELECT max(position) FROM threadline.ledger_changes);
    PERFORM setval('threadline.entry_ids', (SELECT max(id) FROM threadline.ledger_changes));
END
$$;
DROP TABLE record;
