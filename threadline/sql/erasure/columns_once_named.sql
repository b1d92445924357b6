-- Returns what became of the columns of a table that once had a name, as in a plan: the present
-- names as "columns", and as "gone" those that were dropped before another column got the name.
CREATE OR REPLACE FUNCTION threadline.columns_once_named(audited_table integer, name text) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    WITH RECURSIVE line AS (
        SELECT NULL::timestamptz AS since, r.former_name, r.name, r.renamed_at
        FROM threadline.renamed_columns AS r
        WHERE r.table_id = audited_table AND r.former_name = columns_once_named.name
        UNION
        SELECT line.renamed_at, line.name, next.name, next.renamed_at
        FROM line
        LEFT JOIN LATERAL (
            SELECT r.name, r.renamed_at
            FROM threadline.renamed_columns AS r
            WHERE r.table_id = audited_table AND r.former_name = line.name AND r.renamed_at > line.renamed_at
            ORDER BY r.renamed_at
            LIMIT 1
        ) AS next ON true
        WHERE line.name IS NOT NULL
    )
    SELECT jsonb_build_object(
        'columns', coalesce(jsonb_agg(DISTINCT line.former_name) FILTER (WHERE line.renamed_at IS NULL), '[]'),
        'gone', coalesce(jsonb_agg(DISTINCT jsonb_build_object('name', line.former_name, 'at', line.renamed_at))
            FILTER (WHERE line.renamed_at IS NOT NULL AND line.name IS NULL), '[]'))
    FROM line;
END;
REVOKE ALL ON FUNCTION threadline.columns_once_named(integer, text) FROM PUBLIC;
