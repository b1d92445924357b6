-- Returns every row of a table as it was at an instant, including rows that were deleted since.
-- See threadline.record_as_of() for how each is computed.
--
--   SELECT * FROM threadline.rows_as_of('members', '2026-11-23 09:00');
CREATE OR REPLACE FUNCTION threadline.rows_as_of(
    target regclass, instant timestamptz,
    OUT record_key text, OUT key jsonb, OUT image jsonb, OUT unrecorded text[]
) RETURNS SETOF record
LANGUAGE plpgsql SET search_path = pg_catalog, threadline, pg_temp
SET jit = off AS $rows_as_of$
DECLARE
    tl_id integer := threadline.audited_table_of(target);
    tl_table threadline.audited_tables;
    tl_renames jsonb;
    tl_alterations jsonb;
    tl_blind bigint;
    tl_since timestamptz;
    tl_redaction record;
    tl_image text := '%s';
    tl_first bigint;
    tl_is_plain boolean;
    tl_is_partitioned boolean := EXISTS (SELECT FROM pg_class AS c WHERE c.oid = target AND c.relkind = 'p');
    tl_columns text[];
    tl_left text;
    tl_work_mem text := current_setting('work_mem');
BEGIN
    SELECT * INTO tl_table FROM threadline.audited_tables AS t WHERE t.id = tl_id;
    IF tl_table.id IS NULL THEN
        RAISE EXCEPTION USING
            CONSTRAINT = 'threadline_not_audited',
            MESSAGE = format('threadline: table %s is not audited', target);
    ELSIF tl_table.key_columns = '{}' THEN
        RAISE EXCEPTION 'threadline: table % has no primary key, so the row of a change is unknown; add one, and call SELECT threadline.refresh(''%'')',
            target, target;
    ELSIF tl_table.policy ?| '{operations,condition}' THEN
        RAISE EXCEPTION USING
            CONSTRAINT = 'threadline_incomplete',
            MESSAGE = format('threadline: the state of %s is unknown: by its policy, not every change is recorded', target);
    ELSIF NOT threadline.key_is_unique(tl_id, target) THEN
        RAISE EXCEPTION USING
            CONSTRAINT = 'threadline_incomplete',
            MESSAGE = format('threadline: the state of %s is unknown: its primary key has changed, and several rows can have the key with which changes are recorded', target),
            HINT = format('Call SELECT threadline.refresh(%L).', target::text);
    ELSIF NOT threadline.await_final(instant) THEN
        RAISE EXCEPTION USING
            CONSTRAINT = 'threadline_not_final',
            MESSAGE = format('threadline: what %s was at %s is not final yet: %s', target, instant, threadline.why_not_final(instant)),
            DETAIL = coalesce((SELECT jsonb_agg(to_jsonb(w)) FROM threadline.open_writers(instant) AS w WHERE NOT pg_is_in_recovery()), '[]'),
            HINT = 'Query again later, or an earlier instant.';
    ELSIF instant < tl_table.audited_since THEN
        RAISE EXCEPTION USING
            CONSTRAINT = 'threadline_unaudited',
            MESSAGE = format('threadline: table %s is audited since %s only', target, tl_table.audited_since),
            DETAIL = tl_table.audited_since;
    ELSIF instant < tl_table.kept_since THEN
        RAISE EXCEPTION USING
            CONSTRAINT = 'threadline_purged',
            MESSAGE = format('threadline: changes of %s are kept since %s only', target, tl_table.kept_since),
            DETAIL = tl_table.kept_since;
    ELSIF instant < tl_table.chained_since THEN
        RAISE EXCEPTION USING
            CONSTRAINT = 'threadline_incomplete',
            MESSAGE = format('threadline: the state of %s before %s is unknown: its primary key was another, or not every change was recorded',
                target, tl_table.chained_since),
            HINT = 'Query a later instant, or the changes of that time.';
    END IF;
    SELECT coalesce(max(c.id), 0) INTO tl_blind
    FROM threadline.blind_truncates(tl_table.id) AS c
    WHERE c.captured_at <= instant AND threadline.last_captured(c.transaction_id) <= instant;
    IF threadline.truncated_unseen(tl_table.id, tl_blind) THEN
        RAISE EXCEPTION USING
            CONSTRAINT = 'threadline_incomplete',
            MESSAGE = format('threadline: rows of %s were removed since %s by a TRUNCATE that recorded only their number', target, instant),
            HINT = 'Query a later instant, or single records that exist again.';
    END IF;
    IF row_security_active(target) THEN
        RAISE EXCEPTION 'threadline: the state of % at % is unknown: row security hides rows from %', target, instant, quote_ident(current_user)
            USING ERRCODE = 'insufficient_privilege', HINT = 'Query with a role that sees all rows.';
    END IF;
    tl_left := CASE WHEN tl_is_partitioned THEN threadline.left_unseen(tl_table.id, instant) END;
    IF tl_left IS NOT NULL THEN
        RAISE EXCEPTION USING
            CONSTRAINT = 'threadline_incomplete',
            MESSAGE = format('threadline: partitions of %s left since %s with rows older than its audit: %s', target, instant, tl_left),
            HINT = 'Query a later instant, or single records.';
    END IF;
    PERFORM threadline.refuse_suspended(tl_table.id, target, instant);
    tl_since := greatest(tl_table.audited_since, tl_table.chained_since, (
        SELECT s.ended_before FROM threadline.suspended_around(tl_table.id, instant) AS s));
    tl_renames := threadline.renames_of(tl_table.id);
    tl_alterations := threadline.alterations_of(tl_table.id);
    IF tl_renames IS NOT NULL THEN
        tl_image := 'threadline.renamed_image($6, %s, e.captured_at)';
    END IF;
    -- Where a command altered or renamed columns, each image is converted accordingly.
    tl_is_plain := tl_renames IS NULL AND tl_alterations IS NULL;
    tl_columns := ARRAY(SELECT p.name FROM threadline.column_policy(tl_table.id, target) AS p WHERE p.column_policy <> 'exclude');
    SELECT * INTO tl_redaction FROM threadline.redaction(tl_table.id, target, instant);
    -- A transaction's writes by then count as of its last change, which may have come much later,
    -- under another context.
    tl_first := threadline.first_transaction_since(instant);
    SELECT least(tl_first, min(part.id)) INTO tl_first
    FROM threadline.audit_transactions AS x
    JOIN threadline.audit_transactions AS part USING (xact_id, occurred_at)
    WHERE x.id >= tl_first AND occurred_at <= instant;

    -- With the 4 MB that many servers have, sorting a long history takes twice as long.
    IF pg_size_bytes(tl_work_mem) < pg_size_bytes('32MB') THEN
        PERFORM set_config('work_mem', '32MB', true);
    END IF;
    RETURN QUERY EXECUTE threadline.filled(
        $query$
        WITH later_transaction AS MATERIALIZED (
            -- A transaction counts either before or after the instant, never on both sides.
            SELECT x.id
            FROM threadline.audit_transactions AS x
            WHERE x.id >= $3 AND x.opened_at <= $2 AND threadline.last_captured(x.id) > $2
        ), later AS NOT MATERIALIZED (
            SELECT c.*
            FROM threadline.audit_changes AS c
            WHERE c.table_id = $1
              AND c.transaction_id >= $3
              AND (c.captured_at > $2 OR c.transaction_id IN (SELECT id FROM later_transaction))
        ), earlier AS NOT MATERIALIZED (
            SELECT c.*
            FROM threadline.audit_changes AS c
            WHERE c.table_id = $1 AND c.captured_at >= $9 AND c.captured_at <= $2 AND c.id > $10
              AND (c.transaction_id < $3 OR c.transaction_id NOT IN (SELECT id FROM later_transaction))
            UNION ALL
            SELECT k.* FROM threadline.kept_changes AS k WHERE k.table_id = $1 AND k.captured_at >= $9 AND k.id > $10
        ), shifted AS MATERIALIZED (
            SELECT unnest(ARRAY[c.record_key, c.previous_key]) AS shifted_key
            FROM threadline.audit_changes AS c
            WHERE c.table_id = $1 AND c.previous_key IS NOT NULL
            UNION
            SELECT k.record_key
            FROM threadline.kept_changes AS k
            WHERE k.table_id = $1 AND k.statement IS NOT NULL
        ), replayed AS MATERIALIZED (
            -- Most records: inserted at most once, with one key, deleted at most once.
            SELECT r.replayed_key, r.is_whole, r.had_ended, r.redo,
                   -- The changes recorded by then give the whole row.
                   r.is_straight AND s.shifted_key IS NULL AND r.is_whole AND {answers alone} AND r.redo ?& $14 AS is_answer,
                   r.is_straight AND s.shifted_key IS NULL AS is_straight
            FROM (
                SELECT g.replayed_key, g.born IS NOT NULL AS is_whole, g.had_ended, g.is_straight,
                       coalesce(g.born || g.updated, g.updated) AS redo
                FROM (
                    SELECT e.record_key AS replayed_key,
                           (array_agg(e.leaves) FILTER (WHERE e.op = 'I' AND e.leaves IS NOT NULL))[1] AS born,
                           threadline.jsonb_merge(e.leaves) FILTER (WHERE e.op = 'U') AS updated,
                           coalesce(max(e.id) FILTER (WHERE e.op IN ('D', 'T')) = max(e.id), false) AS had_ended,
                           count(*) FILTER (WHERE e.op IN ('D', 'T')) <= 1
                               AND coalesce(max(e.id) FILTER (WHERE e.op IN ('D', 'T')) = max(e.id), true)
                               AND count(*) FILTER (WHERE e.op = 'I') <= 1
                               AND coalesce(min(e.id) FILTER (WHERE e.op = 'I') = min(e.id), true) AS is_straight
                    FROM (
                        SELECT c.record_key, c.id, c.op, CASE WHEN jsonb_typeof(step.leaves) = 'object' THEN step.leaves END AS leaves
                        FROM earlier AS c
                        CROSS JOIN LATERAL (SELECT CASE c.op WHEN 'I' THEN c.row_data WHEN 'U' THEN c.changed_to END) AS step (leaves)
                        WHERE c.record_key IS NOT NULL AND {plain}
                        ORDER BY c.record_key, c.id
                    ) AS e
                    GROUP BY e.record_key
                ) AS g
                OFFSET 0
            ) AS r
            LEFT JOIN shifted AS s ON s.shifted_key = r.replayed_key
        ), undone AS MATERIALIZED (
            SELECT u.undone_key, u.undo, u.last_image, u.ended, u.existed, u.is_straight AND s.shifted_key IS NULL AS is_straight
            FROM (
                SELECT e.record_key AS undone_key,
                       threadline.jsonb_merge(e.undo) AS undo,
                       (array_agg(e.last_image) FILTER (WHERE e.op IN ('D', 'T')))[1] AS last_image,
                       min(e.id) FILTER (WHERE e.op IN ('D', 'T')) AS ended,
                       count(*) FILTER (WHERE e.op = 'I') = 0 AS existed,
                       coalesce(min(e.id) FILTER (WHERE e.op = 'I') = min(e.id), false)
                           OR count(*) FILTER (WHERE e.op = 'I') = 0
                           AND count(*) FILTER (WHERE e.op IN ('D', 'T')) <= 1
                           AND coalesce(max(e.id) FILTER (WHERE e.op IN ('D', 'T')) = max(e.id), true) AS is_straight
                FROM (
                    SELECT c.record_key, c.id, c.op,
                           CASE WHEN c.op IN ('D', 'T') THEN c.row_data END AS last_image,
                           CASE WHEN c.op = 'U' AND jsonb_typeof(c.changed_from) = 'object' THEN c.changed_from END AS undo
                    FROM later AS c
                    WHERE c.record_key IS NOT NULL AND {plain}
                      AND NOT EXISTS (SELECT FROM replayed AS r WHERE r.replayed_key = c.record_key AND r.is_answer)
                    ORDER BY c.record_key, c.id DESC
                ) AS e
                GROUP BY e.record_key
            ) AS u
            LEFT JOIN shifted AS s ON s.shifted_key = u.undone_key
        ), winding AS MATERIALIZED (
            SELECT s.shifted_key AS winding_key FROM shifted AS s
            UNION
            SELECT r.replayed_key FROM replayed AS r WHERE NOT r.is_straight
            UNION
            SELECT u.undone_key FROM undone AS u WHERE NOT u.is_straight
        ), event AS (
            SELECT l.record_key AS event_key, l.id, l.transaction_id, l.statement, l.captured_at, l.row_data, l.changed_from,
                   CASE WHEN l.op IN ('D', 'T') THEN 'end'
                        WHEN l.op = 'I' OR l.previous_key IS NOT NULL THEN 'birth'
                        ELSE 'update' END AS kind
            FROM later AS l
            WHERE l.record_key IS NOT NULL AND {winding: l.record_key}
            UNION ALL
            SELECT l.previous_key, l.id, l.transaction_id, l.statement, l.captured_at, l.row_data, NULL, 'end'
            FROM later AS l
            WHERE l.previous_key IS NOT NULL AND {winding: l.previous_key}
        ), ends AS (
            SELECT DISTINCT ON (event_key) * FROM event WHERE kind = 'end' ORDER BY event_key, id
        ), births AS (
            SELECT DISTINCT ON (event_key) * FROM event WHERE kind = 'birth' ORDER BY event_key, id
        ), touched AS (
            SELECT e.event_key,
                   {undo} AS undo,
                   (array_agg({last image}) FILTER (WHERE e.id = ends.id AND e.kind = 'end'))[1] AS last_image,
                   min(ends.id) AS ended,
                   -- In a statement that shifts keys, the departing key is freed before the
                   -- arriving one uses it.
                   bool_or(births.id IS NULL OR ends.id < births.id
                           OR (ends.transaction_id, ends.statement) = (births.transaction_id, births.statement)) AS existed
            FROM event AS e
            LEFT JOIN ends USING (event_key)
            LEFT JOIN births USING (event_key)
            GROUP BY e.event_key
        ), moved AS MATERIALIZED (
            SELECT * FROM earlier AS e WHERE e.previous_key IS NOT NULL
        ), grouped AS MATERIALIZED (
            -- One statement moved these keys at the same moment.
            SELECT m.transaction_id, m.statement, min(m.id) AS position FROM moved AS m GROUP BY m.transaction_id, m.statement
        ), placed AS (
            SELECT e.record_key AS event_key, e.id, e.captured_at, coalesce(g.position, e.id) AS position,
                   CASE WHEN e.op IN ('D', 'T') THEN 0 ELSE 1 END AS turn,
                   CASE WHEN e.op IN ('D', 'T') THEN 'end'
                        WHEN e.op = 'I' OR e.previous_key IS NOT NULL THEN 'birth'
                        ELSE 'update' END AS kind,
                   threadline.image_left(e.op, e.previous_key, e.row_data, e.changed_to) AS leaves
            FROM earlier AS e
            LEFT JOIN grouped AS g ON g.transaction_id = e.transaction_id AND g.statement = e.statement
            WHERE e.record_key IS NOT NULL AND {winding: e.record_key}
            UNION ALL
            SELECT m.previous_key, m.id, m.captured_at, coalesce(g.position, m.id), 0, 'end', NULL
            FROM moved AS m
            LEFT JOIN grouped AS g ON g.transaction_id = m.transaction_id AND g.statement = m.statement
        ), counted AS (
            SELECT p.*,
                   count(*) FILTER (WHERE p.kind = 'end') OVER back AS ends_since,
                   count(*) FILTER (WHERE p.kind = 'birth') OVER (back ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS births_since
            FROM placed AS p
            WINDOW back AS (PARTITION BY p.event_key ORDER BY p.position DESC, p.turn DESC, p.id DESC)
        ), before AS (
            SELECT e.event_key,
                   bool_and(e.ends_since > 0) AS had_ended,
                   coalesce(bool_or(e.kind = 'birth' AND jsonb_typeof(e.leaves) = 'object') FILTER (WHERE e.ends_since = 0), false) AS is_whole,
                   {redo} AS redo
            FROM counted AS e
            GROUP BY e.event_key
        ), live AS (
            SELECT {live key} COLLATE "C" AS live_key, {live image} AS live_image
            FROM {rows} AS tl_live
            WHERE NOT EXISTS (SELECT FROM replayed AS r WHERE r.replayed_key = {live key} COLLATE "C" AND r.is_answer)
        ), known AS (
            SELECT coalesce(u.undone_key, r.replayed_key) AS known_key, u.undo, u.last_image, u.ended, u.existed, u.undone_key IS NOT NULL AS is_touched,
                   r.had_ended, r.is_whole, r.redo
            FROM undone AS u
            FULL JOIN (SELECT * FROM replayed AS r WHERE NOT r.is_answer) AS r ON r.replayed_key = u.undone_key
            WHERE u.is_straight IS NOT FALSE AND r.is_straight IS NOT FALSE
            UNION ALL
            SELECT coalesce(t.event_key, b.event_key), t.undo, t.last_image, t.ended, t.existed, t.event_key IS NOT NULL,
                   b.had_ended, b.is_whole, b.redo
            FROM touched AS t
            FULL JOIN before AS b USING (event_key)
        ), past AS (
            SELECT r.replayed_key AS past_key, false AS untouched, r.redo AS past_image
            FROM replayed AS r
            WHERE r.is_answer AND NOT r.had_ended
            UNION ALL
            SELECT b.key, b.untouched, {then}
            FROM (
                SELECT coalesce(k.known_key, live_key) AS key, k.known_key IS NULL AS untouched, (
                           SELECT CASE WHEN b.backward IS NULL THEN CASE WHEN k.is_whole AND {there} THEN k.redo END ELSE {image of both} END
                           FROM (
                               SELECT CASE WHEN k.is_touched AND k.existed IS NOT TRUE THEN NULL
                                           WHEN k.ended IS NULL THEN {still live} ELSE k.last_image END || coalesce(k.undo, '{}') AS backward
                               OFFSET 0
                           ) AS b) AS image
                FROM live
                FULL JOIN known AS k ON k.known_key = live_key
                WHERE k.had_ended IS NOT TRUE
                OFFSET 0
            ) AS b
        )
        SELECT past_key, {key}, {image}, {unrecorded}
        FROM past
        WHERE past_image IS NOT NULL
        $query$, jsonb_build_object(
            'plain', tl_is_plain::text,
            'winding: l.record_key', CASE WHEN tl_is_plain THEN 'l.record_key IN (SELECT w.winding_key FROM winding AS w)' ELSE 'true' END,
            'winding: l.previous_key', CASE WHEN tl_is_plain THEN 'l.previous_key IN (SELECT w.winding_key FROM winding AS w)' ELSE 'true' END,
            'winding: e.record_key', CASE WHEN tl_is_plain THEN 'e.record_key IN (SELECT w.winding_key FROM winding AS w)' ELSE 'true' END,
            'answers alone', (NOT tl_table.policy ? 'ignore' AND NOT tl_is_partitioned)::text,
            'undo', CASE WHEN tl_alterations IS NULL
                THEN format('threadline.jsonb_merge(%s ORDER BY e.id DESC) FILTER (WHERE e.kind = ''update'' AND e.id < least(ends.id, births.id, 9223372036854775807) AND jsonb_typeof(e.changed_from) = ''object'')',
                    format(tl_image, 'e.changed_from'))
                ELSE format('threadline.laid($11, threadline.lay($11, %s, e.captured_at ORDER BY e.id DESC) FILTER (WHERE e.kind = ''update'' AND e.id < least(ends.id, births.id, 9223372036854775807)), $2)',
                    format(tl_image, 'e.changed_from')) END,
            'redo', CASE WHEN tl_alterations IS NULL
                THEN format('threadline.jsonb_merge(%s ORDER BY e.position, e.turn, e.id) FILTER (WHERE e.ends_since = 0 AND e.births_since = 0 AND jsonb_typeof(e.leaves) = ''object'')',
                    format(tl_image, 'e.leaves'))
                ELSE format('threadline.laid($11, threadline.lay($11, %s, e.captured_at ORDER BY e.position, e.turn, e.id) FILTER (WHERE e.ends_since = 0 AND e.births_since = 0), $2)',
                    format(tl_image, 'e.leaves')) END,
            'last image', format(CASE WHEN tl_alterations IS NULL THEN '%s' ELSE 'threadline.still_true($11, %s, e.captured_at, $2)' END,
                format(tl_image, 'e.row_data')),
            'live key', threadline.key_expression(tl_table.id, 'tl_live'),
            'live image', threadline.live_expression(tl_table.id, target, 'tl_live'),
            'rows', threadline.own_rows(target),
            'still live', CASE WHEN tl_alterations IS NULL THEN 'live_image' ELSE 'threadline.still_true($11, live_image, ''infinity'', $2)' END,
            -- Changes of only ignored columns are not recorded: the present value is nearer.
            'image of both', CASE WHEN tl_table.policy ? 'ignore'
                THEN format('coalesce(k.redo || b.backward || (k.redo - %L::text[]), b.backward)', ARRAY(SELECT jsonb_array_elements_text(tl_table.policy -> 'ignore')))
                ELSE 'coalesce(b.backward || k.redo, b.backward)' END,
            'then', CASE WHEN tl_alterations IS NULL THEN 'b.image'
                         WHEN threadline.key_is_altered(tl_table.id, tl_alterations)
                         THEN 'threadline.image_then($11, b.image, $2, threadline.key_json($4, $5, b.key))'
                         ELSE 'threadline.image_then($11, b.image, $2, NULL)' END,
            'key', CASE WHEN tl_is_plain AND cardinality(tl_table.key_columns) = 1 AND tl_table.key_types[1] IN ('smallint', 'integer', 'bigint')
                THEN format('jsonb_build_object(%L, past_key::bigint)', tl_table.key_columns[1])
                ELSE 'threadline.key_json($4, $5, past_key)' END,
            'image', CASE WHEN (tl_redaction.hidden, tl_redaction.masks) = ('{}'::text[], '{}'::jsonb) THEN 'past_image'
                          ELSE 'CASE WHEN untouched THEN past_image - $7 ELSE threadline.redacted(past_image, $7, $8) END' END,
            -- The rows of a detached partition exist until it left.
            'there', CASE WHEN tl_is_partitioned
                          THEN 'threadline.left_with_partition($1, $13, k.redo, $2)' ELSE 'true' END,
            'unrecorded', CASE WHEN tl_alterations IS NULL THEN '''{}''::text[]'
                               ELSE 'ARRAY(SELECT u FROM unnest(threadline.unrecorded($11, past_image, $2)) AS u WHERE u <> ALL ($12))' END))
    USING tl_table.id, instant, tl_first, tl_table.key_columns, tl_table.key_types,
          tl_renames, tl_redaction.hidden, tl_redaction.masks, tl_since, tl_blind,
          tl_alterations, tl_redaction.columns, target, tl_columns;
    PERFORM set_config('work_mem', tl_work_mem, true);
    -- Again: one may have ended meanwhile, and the rows show what it wrote.
    PERFORM threadline.refuse_suspended(tl_table.id, target, instant);
END
$rows_as_of$;
SELECT threadline.pin_settings('threadline.rows_as_of(regclass, timestamptz)');
COMMENT ON FUNCTION threadline.rows_as_of(regclass, timestamptz) IS
    'Every row of an audited table as it was at an instant';
