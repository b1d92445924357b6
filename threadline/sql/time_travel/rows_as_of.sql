-- Every row of a table as it was at an instant, also those that went since.
--
--   SELECT * FROM threadline.rows_as_of('members', '2026-11-23 09:00');
CREATE FUNCTION threadline.rows_as_of(
    target regclass, instant timestamptz,
    OUT record_key text, OUT key jsonb, OUT image jsonb
) RETURNS SETOF record
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
SET timezone = 'UTC'
SET datestyle = 'ISO, YMD'
SET intervalstyle = 'postgres'
SET bytea_output = 'hex'
SET extra_float_digits = 1
SET array_nulls = on
AS $rows_as_of$
DECLARE
    tl_table threadline.audited_tables;
    tl_renames jsonb;
    tl_redaction record;
    tl_first bigint;
BEGIN
    SELECT * INTO tl_table FROM threadline.audited_tables AS t WHERE t.id = threadline.audited_table_of(target);
    IF tl_table.id IS NULL THEN
        RAISE EXCEPTION USING
            CONSTRAINT = 'threadline_not_audited',
            MESSAGE = format('threadline: table %s is not audited', target);
    ELSIF tl_table.key_columns = '{}' THEN
        RAISE EXCEPTION 'threadline: table % has no primary key, so nobody can say which row a change was made to; add one, and call SELECT threadline.refresh(''%'')',
            target, target;
    ELSIF tl_table.policy ?| '{operations,condition}' THEN
        RAISE EXCEPTION USING
            CONSTRAINT = 'threadline_incomplete',
            MESSAGE = format('threadline: what %s was cannot be said: by its policy, not every change is recorded', target);
    ELSIF NOT threadline.settle(instant) THEN
        RAISE EXCEPTION USING
            CONSTRAINT = 'threadline_unsettled',
            MESSAGE = format('threadline: what %s was at %s is not settled yet: a transaction that wrote audited rows by then is still open', target, instant),
            HINT = 'Ask again when it has ended, or for an earlier instant.';
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
    ELSIF threadline.truncated_unseen(tl_table.id, (
        SELECT coalesce(max(c.id), 0)
        FROM threadline.blind_truncates(tl_table.id) AS c
        WHERE c.captured_at <= instant AND threadline.last_captured(c.transaction_id) <= instant))
    THEN
        RAISE EXCEPTION USING
            CONSTRAINT = 'threadline_incomplete',
            MESSAGE = format('threadline: rows of %s went since %s in a TRUNCATE that recorded their number alone', target, instant),
            HINT = 'Ask for a later instant, or for single records that are there again.';
    END IF;
    tl_renames := threadline.renames_of(tl_table.id);
    SELECT * INTO tl_redaction FROM threadline.redaction(tl_table.id, target, instant);
    -- What a transaction wrote by then counts as of its last change, which may
    -- have come much later, under another context.
    tl_first := threadline.first_transaction_since(instant);
    SELECT least(tl_first, min(part.id)) INTO tl_first
    FROM threadline.audit_transactions AS x
    JOIN threadline.audit_transactions AS part USING (xact_id, occurred_at)
    WHERE x.id >= tl_first AND occurred_at <= instant;

    RETURN QUERY EXECUTE format(
        $query$
        WITH later AS (
            SELECT c.*
            FROM threadline.audit_changes AS c
            WHERE c.table_id = $1
              AND c.transaction_id >= $3
              AND (c.captured_at > $2 OR c.transaction_id IN (
                  -- A transaction never falls on both sides.
                  SELECT x.id
                  FROM threadline.audit_transactions AS x
                  WHERE x.id >= $3 AND x.opened_at <= $2 AND threadline.last_captured(x.id) > $2))
        ), event AS (
            SELECT l.record_key AS event_key, l.id, l.transaction_id, l.statement, l.captured_at, l.row_data, l.changed_from,
                   CASE WHEN l.op IN ('D', 'T') THEN 'end'
                        WHEN l.op = 'I' OR l.previous_key IS NOT NULL THEN 'birth'
                        ELSE 'update' END AS kind
            FROM later AS l
            WHERE l.record_key IS NOT NULL
            UNION ALL
            SELECT l.previous_key, l.id, l.transaction_id, l.statement, l.captured_at, l.row_data, NULL, 'end'
            FROM later AS l
            WHERE l.previous_key IS NOT NULL
        ), ends AS (
            SELECT DISTINCT ON (event_key) * FROM event WHERE kind = 'end' ORDER BY event_key, id
        ), births AS (
            SELECT DISTINCT ON (event_key) * FROM event WHERE kind = 'birth' ORDER BY event_key, id
        ), touched AS (
            SELECT e.event_key,
                   threadline.jsonb_merge(%1$s ORDER BY e.id DESC) FILTER (
                       WHERE e.kind = 'update'
                         AND e.id < least(ends.id, births.id, 9223372036854775807)
                         AND jsonb_typeof(e.changed_from) = 'object') AS undo,
                   (array_agg(%2$s) FILTER (WHERE e.id = ends.id AND e.kind = 'end'))[1] AS last_image,
                   min(ends.id) AS ended,
                   -- In a statement that shifts keys, who leaves makes room for who comes.
                   bool_or(births.id IS NULL OR ends.id < births.id
                           OR (ends.transaction_id, ends.statement) = (births.transaction_id, births.statement)) AS existed
            FROM event AS e
            LEFT JOIN ends USING (event_key)
            LEFT JOIN births USING (event_key)
            GROUP BY e.event_key
        ), live AS (
            SELECT %3$s COLLATE "C" AS live_key, %4$s AS live_image
            FROM %5$s AS tl_live
        ), past AS (
            SELECT coalesce(t.event_key, live_key) AS past_key,
                   t.event_key IS NULL AS untouched,
                   CASE WHEN t.ended IS NULL THEN live_image ELSE t.last_image END || coalesce(t.undo, '{}') AS past_image
            FROM live
            FULL JOIN touched AS t ON t.event_key = live_key
            WHERE t.event_key IS NULL OR t.existed
        )
        SELECT past_key, threadline.key_json($4, $5, past_key), %6$s
        FROM past
        WHERE past_image IS NOT NULL
        $query$,
        CASE WHEN tl_renames IS NULL THEN 'e.changed_from' ELSE 'threadline.renamed_image($6, e.changed_from, e.captured_at)' END,
        CASE WHEN tl_renames IS NULL THEN 'e.row_data' ELSE 'threadline.renamed_image($6, e.row_data, e.captured_at)' END,
        threadline.key_expression(tl_table.id, 'tl_live'),
        threadline.live_expression(tl_table.id, target, 'tl_live'),
        threadline.own_rows(target),
        CASE WHEN (tl_redaction.hidden, tl_redaction.masks) = ('{}'::text[], '{}'::jsonb) THEN 'past_image'
             ELSE 'CASE WHEN untouched THEN past_image - $7 ELSE threadline.redacted(past_image, $7, $8) END' END)
    USING tl_table.id, instant, tl_first, tl_table.key_columns, tl_table.key_types,
          tl_renames, tl_redaction.hidden, tl_redaction.masks;
END
$rows_as_of$;
COMMENT ON FUNCTION threadline.rows_as_of(regclass, timestamptz) IS
    'Every row of an audited table as it was at an instant';
