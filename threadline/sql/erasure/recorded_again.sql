-- Returns the changes that recorded values of the person of an erasure after it.
CREATE OR REPLACE FUNCTION threadline.recorded_again(erasure bigint) RETURNS TABLE (table_id integer, id bigint)
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
-- As text: a parsed body is shown differently after a restore.
AS $$
    WITH run AS MATERIALIZED (
        SELECT e.* FROM threadline.erasures AS e WHERE e.id = recorded_again.erasure
    ), of_table AS MATERIALIZED (
        SELECT (p -> 'table_id')::integer AS table_id, (p -> 'itself')::boolean AS itself, run.record_keys,
               threadline.all_names((p -> 'table_id')::integer, ARRAY(SELECT jsonb_array_elements_text(p -> 'columns'))) AS columns,
               threadline.all_names((p -> 'table_id')::integer, ARRAY(SELECT jsonb_array_elements_text(p -> 'by'))) AS by
        FROM run CROSS JOIN jsonb_array_elements(run.plan) AS p
    ), pending AS MATERIALIZED (
        SELECT p.id, p.table_id, p.record_key COLLATE "C" AS record_key, p.changed_from, p.changed_to, p.row_data
        FROM threadline.pending_changes() AS p
    ), since AS (
        -- Records that are known to belong to the person.
        SELECT o.table_id, c.id, c.changed_from, c.changed_to, c.row_data
        FROM of_table AS o
        JOIN threadline.erased_records AS r ON r.erasure_id = recorded_again.erasure AND r.table_id = o.table_id
        CROSS JOIN LATERAL (
            SELECT l.id, l.changed_from, l.changed_to, l.row_data FROM threadline.ledger_changes AS l
            WHERE l.table_id = r.table_id AND l.record_key = r.record_key AND l.id > r.reached_id
            UNION ALL
            SELECT p.id, p.changed_from, p.changed_to, p.row_data FROM pending AS p
            WHERE p.table_id = r.table_id AND p.record_key = r.record_key AND p.id > r.reached_id
            UNION ALL
            SELECT k.id, NULL, NULL, k.image FROM threadline.kept_images AS k
            WHERE k.table_id = r.table_id AND k.record_key = r.record_key AND k.id > r.reached_id
        ) AS c
        WHERE o.itself AND r.record_key = ANY (o.record_keys) OR threadline.names_one_of(r.owners, o.record_keys)
        UNION
        -- Records that have named the person since.
        SELECT o.table_id, c.id, c.changed_from, c.changed_to, c.row_data
        FROM of_table AS o
        CROSS JOIN unnest(o.by) AS b
        JOIN (
            SELECT l.id, l.table_id, l.changed_from, l.changed_to, l.row_data
            FROM threadline.ledger_changes AS l
            WHERE l.position > (SELECT run.reached_position FROM run)
            UNION ALL
            SELECT p.id, p.table_id, p.changed_from, p.changed_to, p.row_data FROM pending AS p
        ) AS c ON c.table_id = o.table_id
        WHERE coalesce(c.row_data, c.changed_to) ->> b = ANY (o.record_keys)
    )
    SELECT s.table_id, s.id
    FROM since AS s
    JOIN of_table AS o ON o.table_id = s.table_id
    WHERE EXISTS (
        SELECT
        FROM unnest(o.columns) AS n
        CROSS JOIN LATERAL (VALUES (s.changed_from -> n), (s.changed_to -> n), (s.row_data -> n)) AS v (value)
        WHERE v.value <> 'null' AND NOT threadline.is_erased(v.value));
$$;
