-- Returns the changes in the journal, up to an entry, in the form that they have in the ledger:
-- with record keys, an update reduced to the changed columns, and those of one record in the
-- order in which they happened. Both reading and posting use only this function, so that a change
-- is the same before and after posting. For a single record, most entries are skipped unread.
CREATE OR REPLACE FUNCTION threadline.pending_changes(
    up_to bigint DEFAULT 9223372036854775807, only_table integer DEFAULT NULL, only_key text DEFAULT NULL
)
RETURNS TABLE (
    id bigint, transaction_id bigint, captured_at timestamptz, table_id integer, statement integer, op "char",
    record_key text, previous_key text, changed_from jsonb, changed_to jsonb, row_data jsonb
)
LANGUAGE plpgsql STABLE ROWS 1
SET search_path = pg_catalog, threadline, pg_temp
SET timezone = 'UTC'
SET jit = off
-- The journal can be empty at one moment and full at the next, so no estimate holds.
SET enable_nestloop = off
SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
BEGIN
    IF NOT EXISTS (SELECT FROM threadline.journal AS j WHERE j.table_id = only_table OR only_table IS NULL) THEN
        RETURN;
    END IF;
    RETURN QUERY
    -- Materialized, so that the parts of an image are not computed again for each use.
    WITH entry AS MATERIALIZED (
        SELECT coalesce(r.shown_id, j.id) AS id, o.shown_id AS transaction_id, j.captured_at, j.table_id, j.command, j.op,
               CASE WHEN EXISTS (SELECT FROM unnest(i.instants) AS n WHERE j.old_row ->> n NOT LIKE '%+00:00')
                    THEN threadline.in_utc(j.old_row, i.instants) ELSE j.old_row END AS old_row,
               CASE WHEN EXISTS (SELECT FROM unnest(i.instants) AS n WHERE j.new_row ->> n NOT LIKE '%+00:00')
                    THEN threadline.in_utc(j.new_row, i.instants) ELSE j.new_row END AS new_row,
               j.changed, t.id IS NOT NULL AS is_known, t.key_columns, t.key_types,
               cardinality(t.key_columns) = 1 AND t.key_types[1] IN ('smallint', 'integer', 'bigint', 'uuid') AS is_simple
        FROM threadline.journal AS j
        JOIN threadline.entry_transactions(up_to) AS o ON o.entry_transaction = j.transaction_id AND o.xact_id = j.xact_id AND o.occurred_at = j.occurred_at
        LEFT JOIN threadline.audited_tables AS t ON t.id = j.table_id
        LEFT JOIN (
            SELECT a.id, threadline.instants_of(a.id) AS instants
            FROM (SELECT DISTINCT w.table_id AS id FROM threadline.journal AS w WHERE w.id <= up_to AND (w.table_id = only_table OR only_table IS NULL)) AS a
            OFFSET 0
        ) AS i ON i.id = j.table_id
        LEFT JOIN threadline.reordered_entries(up_to) AS r ON r.id = j.id
        WHERE j.id <= up_to AND j.op <> 'C' AND (j.table_id = only_table OR only_table IS NULL)
          AND (only_key IS NULL
               OR (cardinality(t.key_columns) = 1 AND t.key_types[1] IN ('smallint', 'integer', 'bigint', 'uuid')) IS NOT true
               OR (j.old_row ? t.key_columns[1]) IS false OR (j.new_row ? t.key_columns[1]) IS false
               OR j.old_row ->> t.key_columns[1] = only_key OR j.new_row ->> t.key_columns[1] = only_key
               OR j.old_row ->> t.key_columns[1] LIKE '%.%' OR j.new_row ->> t.key_columns[1] LIKE '%.%')
    ), keyed AS (
        SELECT e.*,
               CASE WHEN e.op = 'D' OR e.op = 'T' THEN k.was ELSE k.now END AS record_key,
               CASE WHEN e.op = 'U' AND k.was <> k.now THEN k.was END AS previous_key
        FROM entry AS e
        CROSS JOIN LATERAL (
            SELECT CASE WHEN e.is_simple AND e.old_row ->> e.key_columns[1] NOT LIKE '%.%' THEN e.old_row ->> e.key_columns[1]
                        WHEN e.is_known AND e.old_row IS NOT NULL THEN threadline.entry_key(e.table_id, e.old_row, e.key_columns, e.key_types) END AS was,
                   CASE WHEN e.is_simple AND e.new_row ->> e.key_columns[1] NOT LIKE '%.%' THEN e.new_row ->> e.key_columns[1]
                        WHEN e.is_known AND e.new_row IS NOT NULL AND e.op <> 'T' THEN threadline.entry_key(e.table_id, e.new_row, e.key_columns, e.key_types) END AS now
        ) AS k
    )
    SELECT k.id, k.transaction_id, k.captured_at, k.table_id,
           CASE WHEN k.previous_key IS NOT NULL OR k.op = 'U' AND k.key_columns = '{}' THEN (k.command::text::bigint % 2147483648)::integer END,
           k.op, k.record_key, k.previous_key,
           CASE k.op WHEN 'U' THEN u.old_values WHEN 'T' THEN k.new_row END,
           CASE k.op WHEN 'U' THEN u.new_values END,
           CASE WHEN k.op = 'I' THEN k.new_row
                WHEN k.op <> 'U' OR k.previous_key IS NOT NULL OR k.key_columns = '{}' THEN k.old_row END
    FROM keyed AS k
    LEFT JOIN LATERAL (
        SELECT k.old_row - same.names AS old_values, k.new_row - same.names AS new_values
        FROM (
            SELECT coalesce(array_agg(n.key), '{}') AS names
            FROM jsonb_each(k.new_row) AS n
            WHERE k.old_row -> n.key = n.value
              AND (jsonb_typeof(n.value) IN ('string', 'boolean', 'null') OR (k.old_row -> n.key)::text = n.value::text)
              AND n.key = ANY (k.changed) IS NOT true
        ) AS same
        WHERE k.op = 'U'
        OFFSET 0
    ) AS u ON true
    WHERE (k.op <> 'U' OR k.previous_key IS NOT NULL OR u.old_values <> '{}' OR u.new_values <> '{}')
      AND (only_key IS NULL OR only_key IN (k.record_key, k.previous_key));
END
$$;
