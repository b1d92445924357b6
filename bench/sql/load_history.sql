-- Writes three years of a medium-sized application straight into the ledger: 20 tables, a million
-- transactions of about five changes each, a few much larger ones, and an action for every fifth.
-- `scale` divides all of it. Deterministic, so that two runs query the same data.
DO $$
DECLARE
    transactions bigint := 1000000 / current_setting('bench.scale')::int;
    start_at timestamptz := '2023-01-01';
    span interval := interval '3 years';
BEGIN
    FOR t IN 1..20 LOOP
        EXECUTE format('CREATE TABLE ledger_%s (
            id bigint PRIMARY KEY, name text, status text, amount numeric(12,2), quantity int,
            note text, updated_at timestamptz, version int)', t);
        PERFORM threadline.audit(format('ledger_%s', t)::regclass);
        EXECUTE format('ALTER TABLE ledger_%s DISABLE TRIGGER USER', t);
        EXECUTE format($i$INSERT INTO ledger_%s
            SELECT k, 'row ' || k, 'status-4', 10.00, 1, 'a note of some length on row ' || k, '2026-01-01', 3
            FROM generate_series(1, 10000) AS k$i$, t);
        PERFORM threadline.refresh(format('ledger_%s', t)::regclass);
    END LOOP;

    INSERT INTO threadline.ledger_transactions (
        id, xact_id, occurred_at, opened_at, actor_type, actor_id, actor_origin, request_id,
        correlation_id, job_id, source, remote_ip, meta, session_user_name)
    SELECT i, (i + 1000)::text::xid8, at, at,
           CASE WHEN job THEN 'job' WHEN pg_temp.roll(i, 2) < 0.02 THEN 'admin' WHEN pg_temp.roll(i, 2) > 0.99 THEN NULL ELSE 'user' END,
           CASE WHEN job THEN 'nightly-' || i % 10 WHEN pg_temp.roll(i, 2) < 0.02 THEN 'a' || i % 50
                WHEN pg_temp.roll(i, 2) > 0.99 THEN NULL
                -- A few users do much, most do little.
                ELSE floor(power(20000, pg_temp.roll(i, 3)))::text END,
           'explicit',
           CASE WHEN NOT job THEN md5('request ' || i) END,
           md5('correlation ' || i / 3),
           CASE WHEN job THEN 'job-' || i / 5 END,
           CASE WHEN job THEN 'job' WHEN pg_temp.roll(i, 4) < 0.001 THEN 'console' WHEN pg_temp.roll(i, 4) < 0.02 THEN 'cli' ELSE 'web' END,
           '203.0.113.9',
           CASE WHEN i % 10 = 0 THEN jsonb_build_object('tenant', 'tenant-' || i % 1000, 'release', i / 10000) END,
           'app'
    FROM generate_series(1, transactions) AS i,
    LATERAL (SELECT start_at + span * (i::double precision / transactions) AS at, pg_temp.roll(i, 1) < 0.08 AS job) AS of;

    INSERT INTO threadline.audit_actions (transaction_id, occurred_at, name, category, verb, actor_type, actor_id, status, reason, correlation_id)
    SELECT x.id, x.opened_at, a.category || '.' || a.verb, a.category, a.verb,
           coalesce(x.actor_type, 'anonymous'), x.actor_id,
           CASE WHEN pg_temp.roll(x.id, 5) < 0.01 THEN 'error' ELSE 'ok' END, 'ticket ' || x.id,
           CASE WHEN x.id % 15 = 0 THEN 'case-' || x.id / 15 END
    FROM threadline.ledger_transactions AS x,
    LATERAL (SELECT (ARRAY['order', 'invoice', 'member', 'stock'])[1 + x.id / 5 % 4] AS category,
                    (ARRAY['opened', 'changed', 'approved', 'closed', 'refunded'])[1 + floor(power(pg_temp.roll(x.id, 6), 3) * 5)::int] AS verb) AS a
    WHERE x.id % 5 = 0;

    INSERT INTO threadline.ledger_changes (
        id, position, transaction_id, captured_at, table_id, op, record_key, changed_from, changed_to, row_data)
    SELECT row_number() OVER written, row_number() OVER written, x.id, x.opened_at + n * interval '1 millisecond', t.id, o.op,
           k.key, f.before, f.after,
           CASE WHEN o.op <> 'U' THEN jsonb_build_object(
               'id', k.key::bigint, 'name', 'row ' || k.key, 'status', 'status-' || n % 5, 'amount', (x.id % 100000) / 100.0,
               'quantity', n, 'note', 'a note of some length on row ' || k.key, 'updated_at', x.opened_at, 'version', x.id % 9) END
    FROM threadline.ledger_transactions AS x
    CROSS JOIN LATERAL generate_series(1, CASE
        WHEN x.id % (transactions / 10) = 7 THEN 20000
        ELSE 1 + floor(power(pg_temp.roll(x.id, 7), 2) * 13)::int END) AS n
    CROSS JOIN LATERAL (SELECT 1 + floor(power(pg_temp.roll(x.id * 64 + n, 8), 2) * 20)::int AS number) AS which
    JOIN threadline.audited_tables AS t ON t.table_name = 'ledger_' || which.number
    CROSS JOIN LATERAL (SELECT (ARRAY['I', 'I', 'I', 'I', 'D', 'U', 'U', 'U', 'U', 'U', 'U', 'U', 'U', 'U', 'U', 'U', 'U', 'U', 'U', 'U'])
                               [1 + floor(pg_temp.roll(x.id * 64 + n, 9) * 20)::int]::"char" AS op) AS o
    CROSS JOIN LATERAL (SELECT (1 + floor(power(10000, pg_temp.roll(x.id * 64 + n, 10))))::bigint::text AS key) AS k
    CROSS JOIN LATERAL (SELECT CASE WHEN o.op = 'U' THEN jsonb_build_object('status', 'status-' || n % 5, 'version', x.id % 9) END AS before,
                               CASE WHEN o.op = 'U' THEN jsonb_build_object('status', 'status-' || (n + 1) % 5, 'version', x.id % 9 + 1) END AS after) AS f
    WINDOW written AS (ORDER BY x.id, n);

    UPDATE threadline.audited_tables SET audited_since = start_at;
    UPDATE threadline.posting SET last_position = (SELECT max(position) FROM threadline.ledger_changes);
    PERFORM setval('threadline.entry_ids', (SELECT max(id) FROM threadline.ledger_changes));
END
$$;
