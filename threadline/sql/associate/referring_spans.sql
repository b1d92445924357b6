-- Returns the spans, in the order of changes, in which rows of a table referred to given records:
-- `since` and `until` where known, with the changes that began and ended each reference, if there
-- were any. The records have the same form: [{"record_key", "since", "until",
-- "since_transaction", "until_transaction"}].
--
-- A row is found by changes that show its reference before or after them, and in the table as it
-- is now. Between two changes that show its reference, it has the value that the earlier one
-- left; before the first, the value that change found; if no change shows it, the value in the
-- table now.
CREATE OR REPLACE FUNCTION threadline.referring_spans(
    referring integer, target regclass, columns text[], referred integer, referents jsonb,
    OUT record_key text, OUT since bigint, OUT until bigint, OUT begun bigint, OUT ended bigint,
    OUT since_transaction bigint, OUT until_transaction bigint
) RETURNS SETOF record
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp
SET jit = off AS $referring_spans$
#variable_conflict use_column
DECLARE
    tl_keys text[] := ARRAY(SELECT DISTINCT r.record_key FROM jsonb_to_recordset(referents) AS r (record_key text));
    tl_renames jsonb := threadline.renames_of(referring);
    tl_table threadline.audited_tables;
    tl_key_types text[];
    tl_types regtype[];
    tl_plain_since timestamptz;
    tl_image text := CASE WHEN tl_renames IS NULL THEN '%s' ELSE 'threadline.renamed_image($4, %s, c.captured_at)' END;
    tl_values text;
BEGIN
    SELECT * INTO tl_table FROM threadline.audited_tables AS t WHERE t.id = referring;
    SELECT t.key_types INTO tl_key_types FROM threadline.audited_tables AS t WHERE t.id = referred;
    SELECT array_agg(c.type ORDER BY given.place), max(c.plain_since) INTO tl_types, tl_plain_since
    FROM unnest(columns) WITH ORDINALITY AS given (name, place)
    LEFT JOIN threadline.referring_columns(referring, target) AS c USING (name);
    -- The part of an image that shows the reference.
    SELECT string_agg(format('CASE WHEN i.image ? %1$L THEN jsonb_build_object(%1$L, i.image -> %1$L) ELSE ''{}'' END', c.name), ' || ')
    INTO tl_values
    FROM unnest(columns) AS c (name);

    RETURN QUERY EXECUTE threadline.filled(
        $query$
        WITH pending AS MATERIALIZED (
            SELECT * FROM threadline.pending_changes(only_table => $1)
        ), live AS MATERIALIZED (
            {live}
        ), candidate AS MATERIALIZED (
            SELECT DISTINCT of.event_key
            FROM (
                SELECT c.record_key, c.previous_key FROM threadline.ledger_changes AS c
                WHERE c.table_id = $1 AND ({comes} OR {goes}) AND {is plain}
                UNION ALL
                SELECT c.record_key, c.previous_key FROM pending AS c
                WHERE ({comes} OR {goes}) AND {is plain}
                UNION ALL
                SELECT l.live_key, NULL FROM live AS l
            ) AS found
            CROSS JOIN LATERAL unnest(ARRAY[found.record_key, found.previous_key]) AS of (event_key)
            WHERE of.event_key IS NOT NULL
        ), change AS (
            SELECT k.event_key, c.id, c.transaction_id, c.captured_at, c.statement, c.op, c.record_key, c.previous_key, c.changed_from, c.changed_to, c.row_data
            FROM candidate AS k
            JOIN threadline.ledger_changes AS c ON c.table_id = $1 AND c.record_key = k.event_key
            UNION ALL
            SELECT k.event_key, c.id, c.transaction_id, c.captured_at, c.statement, c.op, c.record_key, c.previous_key, c.changed_from, c.changed_to, c.row_data
            FROM candidate AS k
            JOIN threadline.ledger_changes AS c ON c.table_id = $1 AND c.previous_key = k.event_key AND c.previous_key IS NOT NULL
            UNION ALL
            SELECT k.event_key, c.id, c.transaction_id, c.captured_at, c.statement, c.op, c.record_key, c.previous_key, c.changed_from, c.changed_to, c.row_data
            FROM candidate AS k
            JOIN pending AS c ON k.event_key IN (c.record_key, c.previous_key)
        ), event AS (
            SELECT c.event_key, c.id, c.transaction_id, c.captured_at < $3 AS interrupted,
                   -- One statement moved these keys at the same moment.
                   CASE WHEN c.previous_key IS NULL THEN c.id ELSE min(c.id) OVER (PARTITION BY c.event_key, c.transaction_id, c.statement, c.previous_key IS NULL) END AS position,
                   e.kind,
                   CASE WHEN {is plain} THEN (SELECT {values} FROM (SELECT {renamed from}) AS i (image) WHERE jsonb_typeof(i.image) = 'object') END AS was,
                   CASE WHEN {is plain} THEN (SELECT {values} FROM (SELECT {renamed to}) AS i (image) WHERE jsonb_typeof(i.image) = 'object') END AS now
            FROM (
                SELECT c.*, {image went} AS image_from, {image came} AS image_to
                FROM change AS c
            ) AS c
            CROSS JOIN LATERAL (
                SELECT 'end' AS kind WHERE c.op IN ('D', 'T') OR c.previous_key = c.event_key
                UNION ALL
                SELECT 'birth' WHERE c.op = 'I' OR c.previous_key IS NOT NULL AND c.record_key = c.event_key
                UNION ALL
                SELECT 'update' WHERE c.op = 'U' AND c.previous_key IS NULL AND {is plain}
                UNION ALL
                -- Its changes are not on record.
                SELECT masked.kind FROM unnest('{end,birth}'::text[]) AS masked (kind) WHERE c.op = 'U' AND c.previous_key IS NULL AND NOT {is plain}
            ) AS e
            -- Updates of other columns do not show the reference.
            WHERE e.kind <> 'update' AND (c.op <> 'U' OR c.previous_key IS NOT NULL OR c.image_to ?| {names})
               OR e.kind = 'update' AND (c.captured_at < $3 OR c.image_from ?| {names} OR c.image_to ?| {names})
            UNION ALL
            SELECT k.record_key, k.id, k.transaction_id, k.captured_at < $3, k.id, CASE WHEN c.image IS NULL THEN 'end' ELSE 'birth' END,
                   NULL, CASE WHEN {is plain} THEN (SELECT {values} FROM (SELECT {renamed kept}) AS i (image) WHERE jsonb_typeof(i.image) = 'object') END
            FROM candidate
            JOIN threadline.kept_images AS k ON k.table_id = $1 AND k.record_key = candidate.event_key
            CROSS JOIN LATERAL (SELECT k.image, k.captured_at) AS c
            UNION ALL
            SELECT k.event_key, t.id, t.transaction_id, t.captured_at < $3, t.id, 'end', NULL, NULL
            FROM candidate AS k
            CROSS JOIN threadline.blind_truncates($1) AS t
            UNION ALL
            SELECT l.live_key, 9223372036854775807, NULL, false, 9223372036854775807, 'live', l.reference, l.reference
            FROM live AS l
            UNION ALL
            -- With several columns, a change may show only one of them; the row has the others.
            SELECT k.event_key, 9223372036854775807, NULL, false, 9223372036854775807, 'live', {values}, {values}
            FROM candidate AS k
            CROSS JOIN LATERAL (SELECT threadline.live_image($1, $7, k.event_key) WHERE {is partial} OFFSET 0) AS i (image)
            WHERE i.image IS NOT NULL AND k.event_key NOT IN (SELECT l.live_key FROM live AS l)
        ), ordered AS (
            SELECT e.*,
                   row_number() OVER (PARTITION BY e.event_key ORDER BY e.position, e.kind <> 'end', e.id) AS place
            FROM event AS e
        ), lived AS (
            -- A life begins with an insert, and after an end.
            SELECT e.*,
                   count(*) FILTER (WHERE e.kind = 'birth') OVER (PARTITION BY e.event_key ORDER BY e.place)
                   + count(*) FILTER (WHERE e.kind = 'end') OVER (PARTITION BY e.event_key ORDER BY e.place ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
                   + CASE WHEN e.interrupted THEN 0 ELSE 1000000000 END AS life
            FROM ordered AS e
        ), told AS (
            SELECT e.*,
                   coalesce(threadline.jsonb_merge(coalesce(e.was, '{}')) OVER (PARTITION BY e.event_key, e.life ORDER BY e.place DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), '{}') AS later,
                   coalesce(threadline.jsonb_merge(coalesce(e.now, '{}')) OVER (PARTITION BY e.event_key, e.life ORDER BY e.place ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), '{}') AS earlier,
                   lag(e.place) OVER (PARTITION BY e.event_key, e.life ORDER BY e.place) IS NULL AS is_first,
                   lag(e.id) OVER following AS id_before,
                   lead(e.id) OVER following AS id_after,
                   lead(e.position) OVER following AS position_after,
                   lead(e.kind) OVER following AS kind_after,
                   lead(e.transaction_id) OVER following AS transaction_after,
                   lead(e.interrupted) OVER following AS interrupted_after
            FROM lived AS e
            WINDOW following AS (PARTITION BY e.event_key ORDER BY e.place)
        ), span AS (
            SELECT t.event_key, t.id AS since, t.id AS begun, t.transaction_id AS since_transaction,
                   CASE WHEN t.interrupted AND t.interrupted_after IS DISTINCT FROM true THEN t.id
                        -- Another row has the key, and the end of this one is not on record.
                        WHEN t.kind_after = 'birth' THEN t.id_after - 1
                        WHEN t.kind_after = 'end' AND t.position_after < t.id_after THEN t.position_after - 1
                        ELSE coalesce(t.id_after, 9223372036854775807) END AS until,
                   CASE WHEN t.kind_after <> 'birth' AND (NOT t.interrupted OR t.interrupted_after) THEN t.id_after END AS ended,
                   t.transaction_after AS until_transaction,
                   threadline.key_in_image(t.later || t.earlier || coalesce(t.now, '{}'), $2, $5) AS referred_key
            FROM told AS t
            WHERE t.kind NOT IN ('end', 'live')
            UNION ALL
            SELECT t.event_key, coalesce(t.id_before + 1, 0), NULL, NULL,
                   CASE WHEN t.kind = 'end' AND t.position < t.id THEN t.position - 1 ELSE t.id END, t.id, t.transaction_id,
                   threadline.key_in_image(t.later || coalesce(t.was, '{}'), $2, $5)
            FROM told AS t
            WHERE t.kind <> 'birth' AND t.is_first
        )
        SELECT s.event_key,
               greatest(s.since, r.since), least(s.until, r.until),
               CASE WHEN s.since >= r.since OR s.since_transaction = r.since_transaction THEN s.begun END,
               CASE WHEN s.until <= r.until OR s.until_transaction = r.until_transaction THEN s.ended END,
               CASE WHEN s.since >= r.since THEN s.since_transaction ELSE r.since_transaction END,
               CASE WHEN s.until <= r.until THEN s.until_transaction ELSE r.until_transaction END
        FROM span AS s
        JOIN jsonb_to_recordset($6) AS r (record_key text, since bigint, until bigint, since_transaction bigint, until_transaction bigint)
            ON r.record_key = s.referred_key
        WHERE (s.since <= r.until OR s.since_transaction = r.until_transaction)
          AND (s.until >= r.since OR s.until_transaction = r.since_transaction)
        $query$,
        jsonb_build_object(
            'live', threadline.referring_rows(referring, target, columns, tl_types, tl_key_types, tl_keys),
            'is partial', (cardinality(columns) > 1 AND target IS NOT NULL)::text,
            'comes', threadline.shows_reference(columns, tl_types, tl_key_types, tl_renames, tl_keys, false),
            'goes', threadline.shows_reference(columns, tl_types, tl_key_types, tl_renames, tl_keys, true),
            'is plain', CASE WHEN tl_plain_since IS NULL THEN 'true' ELSE format('c.captured_at >= %L', tl_plain_since) END,
            'names', format('ARRAY[%s]', (
                SELECT string_agg(threadline.name_then(tl_renames, n.name, 'c'), ', ') FROM unnest(columns) AS n (name))),
            'image came', threadline.image_shown(false, 'c'),
            'image went', threadline.image_shown(true, 'c'),
            'values', tl_values,
            'renamed from', format(tl_image, 'c.image_from'),
            'renamed to', format(tl_image, 'c.image_to'),
            'renamed kept', format(tl_image, 'c.image')))
    USING referring, columns, greatest(tl_table.audited_since, tl_table.chained_since, (
              SELECT s.ended_before FROM threadline.suspended_around(referring, 'infinity') AS s)), tl_renames, tl_key_types, referents, target;
END
$referring_spans$;
SELECT threadline.pin_settings('threadline.referring_spans(integer, regclass, text[], integer, jsonb)');
