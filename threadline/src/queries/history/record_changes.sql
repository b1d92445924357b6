-- The changes of one record. A record that took its key from another one continues, further back,
-- under that one. Before the primary key of the table changed, it continues under the key that it
-- had then, if that is known. Keys that a single statement shifts (SET id = id + 1) are distinguished by the
-- statement's number: the other moves of that statement belong to other records.
WITH RECURSIVE target AS (
    SELECT t.id AS table_id,
           threadline.record_key(t.id, ROW({key values})) COLLATE "C" AS record_key,
           coalesce((t.former_keys -> -1 ->> 'last_id')::bigint, 0) AS since
    FROM threadline.audited_tables AS t
    WHERE t.id = threadline.find_audited_table({table name})
), lineage AS (
    SELECT target.table_id, target.record_key,
           9223372036854775807 AS before_id, NULL::bigint AS left_transaction, NULL::integer AS left_statement,
           target.since, false AS is_former
    FROM target
    UNION ALL
    SELECT lineage.table_id, coalesce(arrival.previous_key, former.record_key), coalesce(arrival.id, lineage.since),
           arrival.transaction_id, arrival.statement,
           CASE WHEN arrival.id IS NULL THEN former.since ELSE lineage.since END,
           lineage.is_former OR arrival.id IS NULL
    FROM lineage
    LEFT JOIN LATERAL (
        SELECT c.id, c.previous_key, c.transaction_id, c.statement
        FROM threadline.record_changes(lineage.table_id, lineage.record_key, lineage.since) AS c
        WHERE c.table_id = lineage.table_id
          AND c.record_key = lineage.record_key
          AND c.previous_key IS NOT NULL
          AND c.id < lineage.before_id
          AND (c.transaction_id, c.statement) IS DISTINCT FROM (lineage.left_transaction, lineage.left_statement)
        ORDER BY c.id DESC
        LIMIT 1
    ) AS arrival ON true
    LEFT JOIN LATERAL (
        SELECT f.record_key COLLATE "C" AS record_key, f.since
        FROM threadline.former_key_of(lineage.table_id, lineage.record_key) AS f
        WHERE arrival.id IS NULL AND lineage.since > 0 AND NOT lineage.is_former
    ) AS former ON true
    WHERE arrival.id IS NOT NULL OR former.record_key IS NOT NULL
), segment AS (
    -- The next segment back ends where this one arrives.
    SELECT *,
           coalesce(lead(before_id) OVER back, since) AS from_id,
           lead(left_transaction) OVER back AS arrival_transaction,
           lead(left_statement) OVER back AS arrival_statement
    FROM lineage
    WINDOW back AS (ORDER BY before_id DESC)
), record_changes AS (
    SELECT c.*
    FROM segment
    CROSS JOIN LATERAL (
        (SELECT c.id, c.transaction_id, c.captured_at, c.table_id, c.statement, c.op, c.record_key, c.previous_key,
               c.changed_from, c.changed_to, c.row_data
        FROM threadline.ledger_changes AS c
        WHERE c.table_id = segment.table_id
          AND c.record_key = segment.record_key
          AND c.id >= segment.from_id AND c.id < segment.before_id
          AND (c.statement IS NULL OR (
              (c.transaction_id, c.statement) IS DISTINCT FROM (segment.left_transaction, segment.left_statement)))
          AND {change conditions}
        ORDER BY c.id DESC
        LIMIT {change limit})
        UNION ALL
        (SELECT c.id, c.transaction_id, c.captured_at, c.table_id, c.statement, c.op, c.record_key, c.previous_key,
               c.changed_from, c.changed_to, c.row_data
        FROM threadline.ledger_changes AS c
        WHERE c.table_id = segment.table_id
          AND c.previous_key = segment.record_key
          AND c.id > segment.from_id AND c.id < segment.before_id
          AND (c.transaction_id, c.statement) IS DISTINCT FROM (segment.left_transaction, segment.left_statement)
          AND (c.transaction_id, c.statement) IS DISTINCT FROM (segment.arrival_transaction, segment.arrival_statement)
          AND {change conditions}
        ORDER BY c.id DESC
        LIMIT {change limit})
        UNION ALL
        -- Few entries wait, or all of them are read in any case.
        (SELECT * FROM threadline.pending_changes(only_table => segment.table_id, only_key => segment.record_key) AS c
        WHERE (c.record_key = segment.record_key
               AND c.id >= segment.from_id AND c.id < segment.before_id
               AND (c.statement IS NULL OR (
                   (c.transaction_id, c.statement) IS DISTINCT FROM (segment.left_transaction, segment.left_statement)))
            OR c.previous_key = segment.record_key
               AND c.id > segment.from_id AND c.id < segment.before_id
               AND (c.transaction_id, c.statement) IS DISTINCT FROM (segment.left_transaction, segment.left_statement)
               AND (c.transaction_id, c.statement) IS DISTINCT FROM (segment.arrival_transaction, segment.arrival_statement))
          AND {change conditions}
        ORDER BY c.id DESC
        LIMIT {change limit})
    ) AS c
)
