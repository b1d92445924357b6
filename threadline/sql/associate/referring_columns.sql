-- Returns the columns of a table by which rows can refer to others: the present ones, and
-- recorded ones that were dropped. Shows how each is recorded, and since when.
CREATE OR REPLACE FUNCTION threadline.referring_columns(
    audited_table integer, target regclass,
    OUT name text, OUT type regtype, OUT column_policy text, OUT plain_since timestamptz
) RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT c.name, c.type,
           CASE WHEN t.policy -> 'ignore' ? c.name THEN 'ignore'
                WHEN c.column_policy = 'mask' THEN coalesce(
                    (SELECT k.column_policy FROM jsonb_to_recordset(t.columns) AS k (name text, column_policy text) WHERE k.name = c.name AND k.column_policy = 'hash'), 'mask')
                ELSE c.column_policy END,
           greatest(c.plain_since, recorded.since)
    FROM threadline.audited_tables AS t
    CROSS JOIN LATERAL threadline.column_policy(t.id, target) AS c
    LEFT JOIN LATERAL (
        SELECT max(a.at) AS since
        FROM jsonb_to_recordset(threadline.alterations_of(t.id)) AS a (name text, what text, "at" timestamptz)
        WHERE a.what = 'recorded' AND a.name = c.name
    ) AS recorded ON true
    WHERE t.id = audited_table AND target IS NOT NULL
    UNION ALL
    SELECT k.name, to_regtype(k.type),
           CASE WHEN t.policy -> 'ignore' ? k.name THEN 'ignore'
                WHEN k.name = ANY (t.masked_columns) AND k.column_policy = 'plain' THEN 'mask'
                ELSE k.column_policy END,
           k.plain_since
    FROM threadline.audited_tables AS t
    CROSS JOIN LATERAL jsonb_to_recordset(t.columns) AS k (name text, type text, column_policy text, plain_since timestamptz)
    WHERE t.id = audited_table AND target IS NULL
    UNION ALL
    SELECT DISTINCT a.name, NULL::regtype, CASE WHEN a.name = ANY (t.masked_columns) THEN 'mask' ELSE 'plain' END, NULL::timestamptz
    FROM threadline.altered_columns AS a
    JOIN threadline.audited_tables AS t ON t.id = a.table_id
    WHERE a.table_id = audited_table AND a.what = 'dropped'
      AND NOT EXISTS (SELECT FROM jsonb_to_recordset(t.columns) AS k (name text) WHERE k.name = a.name);
END;
