-- Returns records whose changes do not agree with each other or with the live rows: something was
-- written bypassing the triggers. Each change must find what the one before it left, and the live
-- row must be what the last one left.
--
--   SELECT * FROM threadline.chain_drift('members');
--
-- `expected` is the state after the earlier changes, `found` the state in the change or the
-- live row; each has the columns that differ, or is NULL for no row. Returns at most
-- `examples` of each code; `records` counts all.
--
-- Reports only what can be known: nothing from before the audit began, or before the present key
-- and policy, and nothing after a TRUNCATE that could not see all rows.
--
-- With `after` and `up_to`, only records whose keys as text, in byte order, come after the first
-- and not after the second. Checking one range after another finds the same as one check of all,
-- because the changes of a record are compared only with each other and with its row.
--
-- First threadline.chain_suspects() finds the records that may be inconsistent; only they are
-- looked at. Both read in one snapshot each, which is taken after the table is locked: to an
-- older snapshot, a truncated or rewritten table would look empty. Uses a hash join, to scan the
-- table once, regardless of the row estimate.
CREATE OR REPLACE FUNCTION threadline.chain_drift(
    target regclass, since timestamptz DEFAULT NULL, examples integer DEFAULT 10, after text DEFAULT NULL, up_to text DEFAULT NULL,
    OUT code text, OUT records bigint, OUT record_key text, OUT key jsonb,
    OUT transaction_id bigint, OUT change_id bigint, OUT expected jsonb, OUT found jsonb
) RETURNS SETOF record
LANGUAGE plpgsql SET search_path = pg_catalog, threadline, pg_temp
SET enable_nestloop = off
SET jit = off AS $chain_drift$
DECLARE
    tl_table threadline.audited_tables;
    tl_obstacle text;
    tl_renames jsonb;
    tl_columns record;
    tl_since timestamptz;
    tl_image text;
    tl_live text;
    tl_hazard text;
    tl_fresh boolean;
    tl_by_hash boolean;
    -- NULL: all records.
    tl_suspects text[];
    tl_work_mem text := current_setting('work_mem');
    -- Whether a key, which replaces %1$s, is in the requested range.
    tl_range text := concat_ws(' AND ', 'true', CASE WHEN after IS NOT NULL THEN '%1$s COLLATE "C" > $15' END, CASE WHEN up_to IS NOT NULL THEN '%1$s COLLATE "C" <= $16' END);
BEGIN
    tl_obstacle := threadline.chain_obstacle(target);
    IF tl_obstacle IS NOT NULL THEN
        RAISE EXCEPTION 'threadline: the history of % cannot be compared with its rows: %', target, tl_obstacle;
    END IF;
    EXECUTE format('LOCK TABLE %s IN ACCESS SHARE MODE', target);
    SELECT * INTO STRICT tl_table FROM threadline.audited_tables AS t WHERE t.id = threadline.audited_table_of(target);
    tl_renames := threadline.renames_of(tl_table.id);
    tl_fresh := tl_table.relation = target AND tl_table.fingerprint = threadline.fingerprint(target);
    -- Keyed hashes of live rows need the keys.
    tl_by_hash := tl_fresh AND tl_table.policy ? 'hash'
        AND has_table_privilege('threadline.hash_keys', 'SELECT')
        AND has_function_privilege('threadline.hash(integer, jsonb)', 'EXECUTE');
    IF tl_by_hash THEN
        tl_by_hash := NOT EXISTS (
            SELECT FROM jsonb_to_recordset(tl_table.columns) AS c (column_policy text, hash_key integer)
            WHERE c.column_policy = 'hash' AND c.hash_key NOT IN (SELECT id FROM threadline.hash_keys));
    END IF;
    SELECT array_agg(c.name) AS names,
           coalesce(array_agg(c.name) FILTER (WHERE c.any_json), '{}') AS documents,
           array_agg(c.nested) AS types,
           jsonb_object_agg(c.name, c.mask) FILTER (WHERE c.mask IS NOT NULL) AS masks,
           array_agg(c.name) FILTER (WHERE c.since IS NOT NULL) AS late_names,
           array_agg(c.since) FILTER (WHERE c.since IS NOT NULL) AS late_since
    INTO tl_columns
    FROM threadline.comparable_columns(tl_table.id, target, tl_by_hash) AS c;
    SELECT greatest(chain_drift.since, tl_table.audited_since, tl_table.chained_since, max(k.retyped_at)) INTO tl_since
    FROM jsonb_to_recordset(tl_table.columns) AS k (name text, retyped_at timestamptz)
    WHERE k.name = ANY (tl_table.key_columns);

    tl_image := '%s';
    IF tl_renames IS NOT NULL THEN
        tl_image := format(tl_image, 'threadline.renamed_image($6, %s, c.captured_at)');
    END IF;
    IF tl_columns.masks IS NOT NULL THEN
        -- Outside of the renames: the masks have present names.
        tl_image := format('threadline.redacted(%s, ''{}'', $7)', tl_image);
    END IF;
    IF tl_columns.late_names IS NOT NULL THEN
        tl_image := format('(%s) - ARRAY(SELECT late.name FROM unnest($8, $9) AS late (name, since) WHERE late.since > c.captured_at)', tl_image);
    END IF;

    IF NOT tl_fresh OR tl_table.policy ? 'hash' AND NOT tl_by_hash THEN
        tl_live := threadline.live_expression(tl_table.id, target, 'tl_live');
    ELSE
        tl_live := threadline.image_expression(tl_table.id, target, 'tl_live');
        tl_hazard := threadline.image_hazard(target, 'tl_live');
        IF tl_hazard IS NOT NULL THEN
            -- As in threadline.careful_change().
            tl_live := format('CASE WHEN %s THEN (threadline.redacted_change(threadline.row_image(tl_live.*), NULL, %L)).old_row ELSE %s END',
                tl_hazard, threadline.redaction_now(target, threadline.built_for(tl_table.id, target)), tl_live);
        END IF;
    END IF;
    IF tl_by_hash AND tl_columns.masks IS NOT NULL THEN
        tl_live := format('threadline.redacted(%s, ''{}'', %L::jsonb)', tl_live, tl_columns.masks);
    END IF;

    -- With the 4 MB that many servers have, sorting a long history takes twice as long.
    IF pg_size_bytes(tl_work_mem) < pg_size_bytes('64MB') THEN
        PERFORM set_config('work_mem', '64MB', true);
    END IF;
    IF tl_renames IS NULL THEN
        tl_suspects := threadline.chain_suspects(
            tl_table.id, tl_since, after, up_to, threadline.own_rows(target), threadline.key_expression(tl_table.id, 'tl_live'), tl_live,
            ARRAY(SELECT c.name FROM threadline.columns_of(target) AS c WHERE c.name <> ALL (tl_columns.names)), 10000);
    END IF;
    IF tl_suspects = '{}' THEN
        PERFORM set_config('work_mem', tl_work_mem, true);
        RETURN;
    ELSIF tl_suspects IS NOT NULL THEN
        tl_range := tl_range || ' AND %1$s = ANY ($17)';
    END IF;
    RETURN QUERY EXECUTE format(
        $query$
        WITH grouped AS (
            -- One statement moved these keys at the same moment.
            SELECT c.transaction_id, c.statement, min(c.id) AS position, min(c.captured_at) AS began
            FROM threadline.audit_changes AS c
            WHERE c.table_id = $1 AND c.previous_key IS NOT NULL AND c.transaction_id >= $2
            GROUP BY c.transaction_id, c.statement
        ), recorded AS (
            SELECT c.id, c.transaction_id, c.op, c.record_key, c.previous_key, coalesce(g.position, c.id) AS position,
                   CASE WHEN jsonb_typeof(c.changed_from) = 'object' THEN %1$s END AS was,
                   CASE WHEN jsonb_typeof(c.changed_to) = 'object' THEN %2$s END AS became,
                   CASE WHEN jsonb_typeof(c.row_data) = 'object' THEN %3$s END AS whole
            FROM threadline.audit_changes AS c
            LEFT JOIN grouped AS g ON g.transaction_id = c.transaction_id AND g.statement = c.statement
            WHERE c.table_id = $1 AND c.transaction_id >= $2 AND coalesce(g.began, c.captured_at) >= $3
              AND (c.record_key IS NULL OR (%7$s) OR (%8$s))
        ), blind AS MATERIALIZED (
            -- Changes of unknown records; read once, and not for each change.
            SELECT coalesce(array_agg(r.id ORDER BY r.id), '{}') AS ids FROM recorded AS r WHERE r.record_key IS NULL
        ), event AS (
            SELECT r.record_key AS event_key, r.position, 1 AS turn, r.id, r.transaction_id,
                   CASE WHEN r.op IN ('D', 'T') THEN 'end' WHEN r.op = 'I' OR r.previous_key IS NOT NULL THEN 'birth' ELSE 'update' END AS kind,
                   CASE WHEN r.op IN ('D', 'T') THEN r.whole WHEN r.op = 'U' AND r.previous_key IS NULL THEN r.was END AS shows,
                   CASE WHEN r.op = 'I' THEN r.whole WHEN r.previous_key IS NOT NULL THEN r.whole || r.became WHEN r.op = 'U' THEN r.became END AS leaves
            FROM recorded AS r
            WHERE r.record_key IS NOT NULL AND %9$s
            UNION ALL
            -- In a statement that shifts keys, the departing key is freed before the arriving one
            -- uses it.
            SELECT r.previous_key, r.position, 0, r.id, r.transaction_id, 'end', r.whole, NULL
            FROM recorded AS r
            WHERE r.previous_key IS NOT NULL AND %10$s
        ), numbered AS (
            SELECT e.*,
                   -- PostgreSQL needs the type of an empty array here.
                   CASE WHEN blind.ids = '{}' THEN 0 ELSE width_bucket(e.id, blind.ids) END AS era,
                   CASE WHEN blind.ids = '{}' THEN 0 ELSE cardinality(blind.ids) END AS last_era
            FROM event AS e
            CROSS JOIN blind
        ), sequenced AS (
            SELECT n.event_key, n.position, n.turn, n.id, n.transaction_id, n.kind, n.shows, n.leaves, n.era,
                   lag(n.kind) OVER chain AS before,
                   lead(n.kind) OVER chain IS NULL AND n.era = n.last_era AS is_last,
                   count(*) FILTER (WHERE n.kind = 'end') OVER (chain ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS ends
            FROM numbered AS n
            WINDOW chain AS (PARTITION BY n.event_key, n.era ORDER BY n.position, n.turn, n.id)
        ), chained AS (
            SELECT s.*,
                   coalesce(
                       threadline.jsonb_merge(s.leaves) FILTER (WHERE s.leaves IS NOT NULL) OVER (
                           PARTITION BY s.event_key, s.era, s.ends ORDER BY s.position, s.turn, s.id
                           ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
                       '{}') AS known
            FROM sequenced AS s
        ), claim AS (
            -- Compares what was known with what is shown; NULL for no row.
            SELECT of.code, c.event_key, c.position, c.transaction_id, c.id, of.known, of.shown
            FROM chained AS c
            LEFT JOIN (
                SELECT %4$s COLLATE "C" AS live_key, %5$s AS live_image FROM %6$s AS tl_live WHERE %11$s
            ) AS live ON c.is_last AND live.live_key = c.event_key
            CROSS JOIN LATERAL (
                SELECT 'chain-broken' AS code,
                       CASE WHEN c.before = 'end' THEN NULL ELSE c.known END AS known,
                       CASE WHEN c.kind = 'birth' THEN NULL ELSE coalesce(c.shows, '{}') END AS shown
                WHERE c.before IS NOT NULL AND NOT (c.before = 'end' AND c.kind = 'birth')
                UNION ALL
                SELECT CASE WHEN c.kind = 'end' THEN 'row-unrecorded' WHEN live.live_key IS NULL THEN 'row-missing' ELSE 'row-altered' END,
                       CASE WHEN c.kind <> 'end' THEN c.known || coalesce(c.leaves, '{}') END,
                       CASE WHEN live.live_key IS NOT NULL THEN live.live_image END
                WHERE c.is_last AND (c.kind <> 'end' OR live.live_key IS NOT NULL)
                  -- The rows of a detached partition are not missing.
                  AND NOT ($13 AND live.live_key IS NULL AND threadline.left_with_partition($1, $14, c.known || coalesce(c.leaves, '{}') || threadline.key_json($10, $11, c.event_key), '-infinity'))
            ) AS of
        ), compared AS (
            SELECT DISTINCT ON (c.code, c.event_key)
                   c.code, c.event_key, c.transaction_id, c.id,
                   CASE WHEN c.known IS NOT NULL THEN coalesce(differing.known, '{}') END AS known,
                   CASE WHEN c.shown IS NOT NULL THEN coalesce(differing.shown, '{}') END AS shown
            FROM claim AS c
            CROSS JOIN LATERAL (
                SELECT jsonb_object_agg(field.name, c.known -> field.name) FILTER (WHERE c.known ? field.name) AS known,
                       jsonb_object_agg(field.name, c.shown -> field.name) FILTER (WHERE c.shown ? field.name) AS shown
                FROM unnest($4, $18) AS field (name, nested)
                WHERE c.known IS NULL OR c.shown IS NULL
                   OR CASE WHEN field.nested IS NULL THEN threadline.values_differ(c.known -> field.name, c.shown -> field.name, field.name = ANY ($5))
                           ELSE threadline.nested_values_differ(c.known -> field.name, c.shown -> field.name, field.nested) END
            ) AS differing
            WHERE (c.known IS NULL OR c.shown IS NULL OR c.known || c.shown <> c.known)
              AND (c.known IS NULL OR c.shown IS NULL OR differing.known IS NOT NULL)
            ORDER BY c.code, c.event_key, c.position
        )
        SELECT counted.code, counted.records, counted.event_key, threadline.key_json($10, $11, counted.event_key),
               counted.transaction_id, counted.id, counted.known, counted.shown
        FROM (
            SELECT c.*, count(*) OVER (PARTITION BY c.code) AS records,
                   row_number() OVER (PARTITION BY c.code ORDER BY c.id, c.event_key) AS number
            FROM compared AS c
        ) AS counted
        WHERE counted.number <= $12
        ORDER BY counted.code, counted.number
        $query$,
        format(tl_image, 'c.changed_from'),
        format(tl_image, 'c.changed_to'),
        format(tl_image, 'c.row_data'),
        threadline.key_expression(tl_table.id, 'tl_live'),
        tl_live,
        threadline.own_rows(target),
        format(tl_range, 'c.record_key'), format(tl_range, 'c.previous_key'),
        format(tl_range, 'r.record_key'), format(tl_range, 'r.previous_key'),
        format(tl_range, '(' || threadline.key_expression(tl_table.id, 'tl_live') || ')'))
    USING tl_table.id, threadline.first_transaction_since(tl_since), tl_since, tl_columns.names, tl_columns.documents,
          tl_renames, tl_columns.masks, tl_columns.late_names, tl_columns.late_since,
          tl_table.key_columns, tl_table.key_types, examples,
          EXISTS (SELECT FROM threadline.partitions_left(tl_table.id)), target, after, up_to, tl_suspects, tl_columns.types;
    PERFORM set_config('work_mem', tl_work_mem, true);
END
$chain_drift$;
SELECT threadline.pin_settings('threadline.chain_drift(regclass, timestamptz, integer, text, text)');
COMMENT ON FUNCTION threadline.chain_drift(regclass, timestamptz, integer, text, text) IS
    'Records of an audited table whose changes do not agree with each other or with the live rows: something was written bypassing the triggers';
