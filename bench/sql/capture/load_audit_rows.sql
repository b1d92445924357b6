-- Changes of ten tables, among them those that are measured, 100,000 records
-- each. The indexes are made after the load, which is quicker.
CREATE TEMP TABLE indexes AS
SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition
FROM pg_index
WHERE indrelid = 'threadline.audit_changes'::regclass AND NOT indisprimary;

DO $$
DECLARE
    index record;
BEGIN
    FOR index IN SELECT * FROM indexes LOOP
        EXECUTE 'DROP INDEX ' || index.name;
    END LOOP;
END
$$;

INSERT INTO threadline.audit_transactions (xact_id, occurred_at, opened_at, actor_origin, session_user_name)
SELECT i::text::xid8, at, at, 'none', 'app'
FROM generate_series(1, {changes} / 5) AS i,
LATERAL (SELECT timestamptz '2023-01-01' + i * interval '1 second' AS at) AS moment;

INSERT INTO threadline.audit_changes (transaction_id, captured_at, table_id, op, record_key, changed_from, changed_to)
SELECT first.id + i / 5, timestamptz '2023-01-01' + i / 5 * interval '1 second', tables.ids[1 + i % 10], 'U',
       (hashint8extended(i, 0) & 1048575) % 100000 + 1,
       jsonb_build_object('quantity', i % 1000), jsonb_build_object('quantity', i % 1000 + 1)
FROM generate_series(0, {changes} - 1) AS i,
     (SELECT min(id) AS id FROM threadline.audit_transactions WHERE session_user_name = 'app') AS first,
     (SELECT array_agg(id) || ARRAY[901, 902, 903, 904, 905, 906, 907, 908] AS ids
      FROM threadline.audited_tables WHERE table_name IN ('ours_8', 'ours_40')) AS tables;

DO $$
DECLARE
    index record;
BEGIN
    FOR index IN SELECT * FROM indexes LOOP
        EXECUTE index.definition;
    END LOOP;
END
$$;
