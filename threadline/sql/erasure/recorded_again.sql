-- Returns the changes that recorded values of the person of an erasure after it.
CREATE OR REPLACE FUNCTION threadline.recorded_again(erasure bigint) RETURNS TABLE (table_id integer, id bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
-- As text: a parsed body is shown differently after a restore.
AS $$
    WITH run AS MATERIALIZED (
        SELECT e.*, coalesce((
            SELECT threadline.keys_of_record((p -> 'table_id')::integer, e.record_key)
            FROM jsonb_array_elements(e.plan) AS p WHERE (p -> 'itself')::boolean), '{}') || e.record_keys AS keys
        FROM threadline.erasures AS e
        WHERE e.id = recorded_again.erasure
    ), of_table AS MATERIALIZED (
        SELECT (p -> 'table_id')::integer AS table_id, (p -> 'itself')::boolean AS itself, run.keys, run.reached_position, run.ended_at,
               p ->> 'key_type' AS key_type, threadline.keys_named(run.keys, p ->> 'key_type') AS named,
               threadline.erased_names(p) AS columns, threadline.owner_names(p) AS by
        FROM run CROSS JOIN jsonb_array_elements(run.plan) AS p
    ), pending AS MATERIALIZED (
        SELECT p.id, p.table_id, p.captured_at, p.record_key COLLATE "C" AS record_key, p.changed_from, p.changed_to, p.row_data
        FROM threadline.pending_changes() AS p
    ), since AS (
        -- Records that are known to belong to the person.
        SELECT o.table_id, c.id, c.captured_at, c.changed_from, c.changed_to, c.row_data
        FROM of_table AS o
        JOIN threadline.erased_records AS r ON r.erasure_id = recorded_again.erasure AND r.table_id = o.table_id
        CROSS JOIN LATERAL (
            SELECT l.id, l.captured_at, l.changed_from, l.changed_to, l.row_data FROM threadline.ledger_changes AS l
            WHERE l.table_id = r.table_id AND l.record_key = r.record_key AND l.id > r.reached_id
            UNION ALL
            SELECT p.id, p.captured_at, p.changed_from, p.changed_to, p.row_data FROM pending AS p
            WHERE p.table_id = r.table_id AND p.record_key = r.record_key AND p.id > r.reached_id
            UNION ALL
            SELECT k.id, k.captured_at, NULL, NULL, k.image FROM threadline.kept_images AS k
            WHERE k.table_id = r.table_id AND k.record_key = r.record_key AND k.id > r.reached_id
        ) AS c
        WHERE o.itself AND r.record_key = ANY (o.keys) OR threadline.names_one_of(r.owners, o.named)
        UNION
        -- The record of the person under keys that it got since.
        SELECT o.table_id, c.id, c.captured_at, c.changed_from, c.changed_to, c.row_data
        FROM of_table AS o
        CROSS JOIN unnest(o.keys) AS moved (key)
        CROSS JOIN LATERAL (
            SELECT l.id, l.captured_at, l.changed_from, l.changed_to, l.row_data FROM threadline.ledger_changes AS l
            WHERE l.table_id = o.table_id AND l.record_key = moved.key AND l.position > o.reached_position
            UNION ALL
            SELECT p.id, p.captured_at, p.changed_from, p.changed_to, p.row_data FROM pending AS p
            WHERE p.table_id = o.table_id AND p.record_key = moved.key
            UNION ALL
            SELECT k.id, k.captured_at, NULL, NULL, k.image FROM threadline.kept_images AS k
            WHERE k.table_id = o.table_id AND k.record_key = moved.key AND k.captured_at > o.ended_at
        ) AS c
        WHERE o.itself AND NOT EXISTS (
            SELECT FROM threadline.erased_records AS r
            WHERE r.erasure_id = recorded_again.erasure AND r.table_id = o.table_id AND r.record_key = moved.key)
        UNION
        -- Records that have named the person since.
        SELECT o.table_id, c.id, c.captured_at, c.changed_from, c.changed_to, c.row_data
        FROM of_table AS o
        JOIN (
            SELECT l.id, l.table_id, l.captured_at, l.changed_from, l.changed_to, l.row_data
            FROM threadline.ledger_changes AS l
            WHERE l.position > (SELECT run.reached_position FROM run)
            UNION ALL
            SELECT p.id, p.table_id, p.captured_at, p.changed_from, p.changed_to, p.row_data FROM pending AS p
        ) AS c ON c.table_id = o.table_id
        WHERE o.by <> '{}' AND threadline.names_one_of(threadline.named_in(coalesce(c.row_data, c.changed_to), o.by, c.captured_at, o.key_type), o.named)
    )
    SELECT s.table_id, s.id
    FROM since AS s
    JOIN of_table AS o ON o.table_id = s.table_id
    WHERE EXISTS (
        SELECT
        FROM unnest(threadline.hidden_names(o.columns, s.captured_at)) AS n
        CROSS JOIN LATERAL (VALUES (s.changed_from -> n), (s.changed_to -> n), (s.row_data -> n)) AS v (value)
        WHERE v.value <> 'null' AND NOT threadline.is_erased(v.value));
$$;
