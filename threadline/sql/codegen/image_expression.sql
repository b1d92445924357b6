-- Returns SQL for the image of a row called row_name. No other function decides which values of a
-- row may be recorded. Each column is named, so that no unnamed column is recorded.
CREATE OR REPLACE FUNCTION threadline.image_expression(audited_table integer, target regclass, row_name text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    -- No function takes more than 100 arguments.
    SELECT coalesce(string_agg(format('jsonb_build_object(%s)', fifty.members), ' || ' ORDER BY fifty.number), '''{}''::jsonb')
    FROM (
        SELECT c.ordinal / 50 AS number, string_agg(
            format('%L, %s', c.name, CASE c.column_policy
                WHEN 'hash' THEN threadline.hash_expression(live.reference, live.type, c.hash_key)
                WHEN 'mask' THEN format('CASE WHEN %s IS DISTINCT FROM NULL THEN %L::jsonb END', live.reference, threadline.placeholder(live.type))
                ELSE live.form END),
            ', ' ORDER BY c.ordinal) AS members
        FROM (
            SELECT k.*, t.relation = target AS is_same, row_number() OVER (ORDER BY k.number) - 1 AS ordinal
            FROM threadline.audited_tables AS t
            CROSS JOIN jsonb_to_recordset(t.columns) AS k (number smallint, name text, column_policy text, hash_key integer)
            WHERE t.id = audited_table AND k.column_policy <> 'exclude'
        ) AS c
        JOIN (
            SELECT column_of.number, column_of.name, column_of.type, reference.text AS reference, threadline.json_form(column_of.type, reference.text) AS form
            FROM threadline.columns_of(target) AS column_of
            CROSS JOIN LATERAL (SELECT row_name || '.' || threadline.quoted(column_of.name) AS text) AS reference
        -- A restore closes the gaps that dropped columns left in the numbers.
        ) AS live ON CASE WHEN c.is_same THEN live.number = c.number ELSE live.name = c.name END
        GROUP BY 1
    ) AS fifty;
END;
