-- Loads changes of ten tables, among them the measured ones, 100,000 records each. The indexes
-- are created after the load, which is faster.
CREATE TEMP TABLE indexes AS
SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition
FROM pg_index
WHERE indrelid = 'threadline.ledger_changes'::regclass AND NOT indisprimary;

DO $$
DECLARE
    index record;
BEGIN
    FOR index IN SELECT * FROM indexes LOOP
        EXECUTE 'DROP INDEX ' || index.name;
    END LOOP;
END
$$;

-- Transactions of five changes each: as with capture, the first entry names them.
INSERT INTO threadline.ledger_transactions (
    id, xact_id, occurred_at, opened_at, actor_type, actor_id, actor_origin, request_id, source, session_user_name)
SELECT i * 5 + 1, (i + 1)::text::xid8, at, at, 'user', i % 1000, 'explicit', md5('request ' || i), 'web', 'app'
FROM generate_series(0, {changes} / 5 - 1) AS i,
LATERAL (SELECT timestamptz '2023-01-01' + i * interval '1 second' AS at) AS moment;

INSERT INTO threadline.ledger_changes (
    id, transaction_id, captured_at, table_id, op, record_key, changed_from, changed_to, position)
SELECT i + 1, i / 5 * 5 + 1, timestamptz '2023-01-01' + i / 5 * interval '1 second', tables.ids[1 + i % 10], 'U',
       (hashint8extended(i, 0) & 1048575) % 100000 + 1,
       jsonb_build_object('quantity', i % 1000), jsonb_build_object('quantity', i % 1000 + 1), i + 1
FROM generate_series(0, {changes} - 1) AS i,
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

SELECT setval('threadline.entry_ids', {changes});
UPDATE threadline.posting SET last_position = {changes};
