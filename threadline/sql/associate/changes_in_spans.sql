-- Returns the changes of rows within spans from threadline.referring_spans(): the newest of each
-- span before a change, up to a limit.
CREATE OR REPLACE FUNCTION threadline.changes_in_spans(
    referring integer, spans jsonb, before bigint, at_most bigint
) RETURNS TABLE (
    id bigint, transaction_id bigint, captured_at timestamptz, table_id integer, statement integer, op "char",
    record_key text, previous_key text, changed_from jsonb, changed_to jsonb, row_data jsonb, begins boolean, ends boolean
)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH span AS MATERIALIZED (
        SELECT * FROM jsonb_to_recordset(spans) AS s (record_key text, since bigint, until bigint, begun bigint, ended bigint)
    ), pending AS MATERIALIZED (
        SELECT * FROM threadline.pending_changes(only_table => referring)
    )
    SELECT c.*, c.id IS NOT DISTINCT FROM s.begun, c.id IS NOT DISTINCT FROM s.ended
    FROM span AS s
    CROSS JOIN LATERAL (
        (SELECT l.id, l.transaction_id, l.captured_at, l.table_id, l.statement, l.op, l.record_key, l.previous_key, l.changed_from, l.changed_to, l.row_data
        FROM threadline.ledger_changes AS l
        WHERE l.table_id = referring AND l.record_key = s.record_key
          AND l.id BETWEEN least(s.since, s.begun) AND greatest(s.until, s.ended) AND l.id < before
          AND (l.id BETWEEN s.since AND s.until OR l.id = s.begun OR l.id = s.ended)
        ORDER BY l.id DESC
        LIMIT at_most)
        UNION ALL
        SELECT l.id, l.transaction_id, l.captured_at, l.table_id, l.statement, l.op, l.record_key, l.previous_key, l.changed_from, l.changed_to, l.row_data
        FROM threadline.ledger_changes AS l
        WHERE l.table_id = referring AND l.previous_key = s.record_key AND l.previous_key IS NOT NULL
          AND l.id = s.ended AND l.id < before
    ) AS c
    UNION ALL
    SELECT c.*, c.id IS NOT DISTINCT FROM s.begun, c.id IS NOT DISTINCT FROM s.ended
    FROM span AS s
    JOIN pending AS c ON c.record_key = s.record_key AND (c.id BETWEEN s.since AND s.until OR c.id = s.begun OR c.id = s.ended)
                      OR c.previous_key = s.record_key AND c.id = s.ended
    WHERE c.id < before;
END
$$;
