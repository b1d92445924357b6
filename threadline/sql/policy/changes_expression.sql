-- SQL for a JSON object of the columns in which two rows differ, with the values
-- that they have in the row called of_row. Compared column by column, and only
-- what differs is turned to JSON: of a wide row that is little.
CREATE FUNCTION threadline.changes_expression(
    audited_table integer, target regclass, old_row text, new_row text, of_row text
) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    -- None where whatever is left is excluded.
    SELECT CASE count(*) WHEN 0 THEN '''{}''::jsonb' ELSE format(
        '(''{'' || concat_ws('','', %s) || ''}'')::jsonb',
        -- No function takes more than 100 arguments.
        string_agg(format('nullif(concat_ws('','', %s), '''')', hundred.fields), E',\n' ORDER BY hundred.number)) END
    FROM (
        SELECT (c.number - 1) / 90 AS number,
               string_agg(
                   format(
                       CASE WHEN live.bitwise
                           THEN 'CASE WHEN %1$s.%3$I%6$s IS DISTINCT FROM %2$s.%3$I THEN %4$L || %5$s END'
                           ELSE 'CASE WHEN NOT record_image_eq(ROW(%1$s.%3$I), ROW(%2$s.%3$I)) THEN %4$L || %5$s END'
                       END,
                       old_row, new_row, c.name, to_json(c.name)::text || ':',
                       CASE WHEN c.treatment = 'token'
                           THEN threadline.token_expression(format('%s.%I', of_row, c.name), live.type, c.token_key) || '::text'
                           ELSE threadline.value_expression(of_row, c.name, live.type, c.treatment)
                       END,
                       CASE WHEN live.type IN ('text'::regtype, 'varchar'::regtype) THEN ' COLLATE "C"' END),
                   E',\n' ORDER BY c.number) AS fields
        FROM threadline.audited_tables AS t
        CROSS JOIN jsonb_to_recordset(t.columns) AS c (number smallint, name text, treatment text, token_key integer)
        JOIN threadline.columns_of(target) AS live ON live.number = c.number
        WHERE t.id = audited_table AND c.treatment <> 'exclude'
        GROUP BY 1
    ) AS hundred;
END;
