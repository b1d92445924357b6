-- Returns the changes in the journal, up to an entry, in the form that they have in the ledger:
-- with record keys, an update reduced to the changed columns, and those of one record in the
-- order in which they happened. Both reading and posting use only this function, so that a change
-- is the same before and after posting. For a single record, most entries are skipped unread.
--
-- The journal has no index. Posting gives the range of places in which its batch is, so that the
-- other entries are not read.
CREATE OR REPLACE FUNCTION threadline.pending_changes(
    up_to bigint DEFAULT 9223372036854775807, only_table integer DEFAULT NULL, only_key text DEFAULT NULL,
    lowest tid DEFAULT '(0,0)', highest tid DEFAULT '(4294967295,65535)'
)
RETURNS TABLE (
    id bigint, transaction_id bigint, captured_at timestamptz, table_id integer, statement integer, op "char",
    record_key text, previous_key text, changed_from jsonb, changed_to jsonb, row_data jsonb
)
LANGUAGE plpgsql STABLE ROWS 1 SET search_path = pg_catalog, threadline, pg_temp
SET timezone = 'UTC'
SET jit = off
-- The journal can be empty at one moment and full at the next, so no estimate holds.
SET enable_nestloop = off
SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
BEGIN
    IF NOT EXISTS (SELECT FROM threadline.journal AS j WHERE j.table_id = only_table OR only_table IS NULL) THEN
        RETURN;
    END IF;
    RETURN QUERY
    -- Each OFFSET 0 is a fence: what is computed below it is not computed again for each use.
    WITH known AS MATERIALIZED (
        SELECT w.id, t.id IS NOT NULL AS is_known, t.key_columns, t.key_types,
               cardinality(t.key_columns) = 1 AND t.key_types[1] IN ('smallint', 'integer', 'bigint', 'uuid') AS is_simple,
               threadline.instants_of(w.id) AS instants, w.an_update
        FROM (
            SELECT j.table_id AS id, max(j.id) FILTER (WHERE j.op = 'U') AS an_update
            FROM threadline.journal AS j
            WHERE j.id <= up_to AND j.ctid >= lowest AND j.ctid <= highest AND j.op <> 'C'
              AND (j.table_id = only_table OR only_table IS NULL)
            GROUP BY j.table_id
        ) AS w
        LEFT JOIN threadline.audited_tables AS t ON t.id = w.id
    ), usual AS MATERIALIZED (
        -- Most updates of a table change the same columns as its last one. A guess: each update
        -- is compared with it.
        SELECT j.table_id, array_agg(n.key) FILTER (WHERE j.old_row -> n.key <> n.value) AS changed,
               coalesce(array_agg(n.key) FILTER (WHERE j.old_row -> n.key = n.value), '{}') AS unchanged
        FROM threadline.journal AS j
        JOIN known AS t ON t.an_update = j.id
        CROSS JOIN LATERAL jsonb_each(j.new_row) AS n
        WHERE only_key IS NULL AND j.ctid >= lowest AND j.ctid <= highest AND j.op = 'U'
        GROUP BY j.table_id
    )
    SELECT k.id, k.transaction_id, k.captured_at, k.table_id,
           CASE WHEN k.previous_key IS NOT NULL OR k.op = 'U' AND k.key_columns = '{}' THEN (k.command::text::bigint % 2147483648)::integer END,
           k.op, k.record_key, k.previous_key,
           CASE k.op WHEN 'U' THEN CASE WHEN k.is_usual THEN k.old_row - k.unchanged ELSE u.old_values END WHEN 'T' THEN k.new_row END,
           CASE k.op WHEN 'U' THEN CASE WHEN k.is_usual THEN k.new_row - k.unchanged ELSE u.new_values END END,
           CASE WHEN k.op = 'I' THEN k.new_row
                WHEN k.op <> 'U' OR k.previous_key IS NOT NULL OR k.key_columns = '{}' THEN k.old_row END
    FROM (
        SELECT e.*,
               CASE WHEN e.op = 'D' OR e.op = 'T' THEN e.was ELSE e.now END AS record_key,
               CASE WHEN e.op = 'U' AND e.was <> e.now THEN e.was END AS previous_key,
               CASE WHEN e.op = 'U' THEN
                   -- The same bytes in all other columns, no other column, and different values.
                   (coalesce(e.changed, '{}') = '{}'
                   AND record_image_eq(ROW(e.old_row - e.usual), ROW(e.new_row - e.usual))
                   AND e.old_row - e.unchanged - e.usual = '{}'
                   AND CASE cardinality(e.usual)
                       WHEN 1 THEN e.old_row -> e.usual[1] <> e.new_row -> e.usual[1]
                       ELSE NOT EXISTS (SELECT FROM unnest(e.usual) AS n WHERE (e.old_row -> n <> e.new_row -> n) IS NOT true) END)
                   END AS is_usual
        FROM (
            SELECT e.*,
                   CASE WHEN e.is_simple AND e.old_row ->> e.key_columns[1] NOT LIKE '%.%' THEN e.old_row ->> e.key_columns[1]
                        WHEN e.is_known AND e.old_row IS NOT NULL THEN threadline.entry_key(e.table_id, e.old_row, e.key_columns, e.key_types) END AS was,
                   CASE WHEN e.is_simple AND e.new_row ->> e.key_columns[1] NOT LIKE '%.%' THEN e.new_row ->> e.key_columns[1]
                        WHEN e.is_known AND e.new_row IS NOT NULL AND e.op <> 'T' THEN threadline.entry_key(e.table_id, e.new_row, e.key_columns, e.key_types) END AS now
            FROM (
                SELECT coalesce(r.shown_id, j.id) AS id, coalesce(f.shown_id, j.transaction_id) AS transaction_id,
                       j.captured_at, j.table_id, j.command, j.op,
                       CASE WHEN threadline.outside_utc(j.old_row, t.instants) THEN threadline.in_utc(j.old_row, t.instants) ELSE j.old_row END AS old_row,
                       CASE WHEN threadline.outside_utc(j.new_row, t.instants) THEN threadline.in_utc(j.new_row, t.instants) ELSE j.new_row END AS new_row,
                       j.changed, t.is_known, t.key_columns, t.key_types, t.is_simple, s.changed AS usual, s.unchanged
                FROM threadline.journal AS j
                LEFT JOIN known AS t ON t.id = j.table_id
                LEFT JOIN usual AS s ON s.table_id = j.table_id
                LEFT JOIN threadline.unopened_transactions(up_to, lowest, highest) AS f
                    ON f.entry_transaction = j.transaction_id AND f.xact_id = j.xact_id AND f.occurred_at = j.occurred_at
                LEFT JOIN threadline.reordered_entries(up_to, lowest, highest) AS r ON r.id = j.id
                WHERE j.id <= up_to AND j.ctid >= lowest AND j.ctid <= highest AND j.op <> 'C' AND (j.table_id = only_table OR only_table IS NULL)
                  AND (only_key IS NULL
                       OR t.is_simple IS NOT true
                       OR (j.old_row ? t.key_columns[1]) IS false OR (j.new_row ? t.key_columns[1]) IS false
                       OR j.old_row ->> t.key_columns[1] = only_key OR j.new_row ->> t.key_columns[1] = only_key
                       OR j.old_row ->> t.key_columns[1] LIKE '%.%' OR j.new_row ->> t.key_columns[1] LIKE '%.%')
                OFFSET 0
            ) AS e
            OFFSET 0
        ) AS e
        OFFSET 0
    ) AS k
    LEFT JOIN LATERAL (
        SELECT k.old_row - same.names AS old_values, k.new_row - same.names AS new_values
        FROM (
            SELECT coalesce(array_agg(n.key), '{}') AS names
            FROM jsonb_each(k.new_row) AS n
            WHERE k.old_row -> n.key = n.value
              AND (jsonb_typeof(n.value) IN ('string', 'boolean', 'null') OR (k.old_row -> n.key)::text = n.value::text)
              AND n.key = ANY (k.changed) IS NOT true
        ) AS same
        WHERE k.op = 'U' AND k.is_usual IS NOT true
        OFFSET 0
    ) AS u ON true
    WHERE only_key IS NULL OR only_key IN (k.record_key, k.previous_key);
END
$$;
