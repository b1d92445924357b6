-- SQL for the image of a row called row_name: the one place that decides what
-- of a row may be stored. A whole row is turned to JSON at once; as soon as
-- one column needs care, each is named, so that nothing unnamed gets through.
CREATE FUNCTION threadline.image_expression(audited_table integer, target regclass, row_name text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT CASE WHEN bool_or(c.treatment <> 'clear' OR live.type IN ('json'::regtype, 'money'::regtype))
        THEN format(
            '(SELECT to_jsonb(tl_image) FROM (SELECT %s) AS tl_image)',
            string_agg(
                CASE
                    WHEN c.treatment = 'token' THEN format(
                        '%s AS %I', threadline.token_expression(row_name, c.name, live.type, c.token_key), c.name)
                    WHEN c.treatment = 'mask' THEN format(
                        'CASE WHEN %1$s.%2$I IS DISTINCT FROM NULL THEN %3$L::jsonb END AS %2$I',
                        row_name, c.name, threadline.placeholder(live.type))
                    WHEN live.type = 'json'::regtype THEN format(
                        'threadline.json_image(%1$s.%2$I) AS %2$I', row_name, c.name)
                    WHEN live.type = 'money'::regtype THEN format(
                        '%1$s.%2$I::numeric AS %2$I', row_name, c.name)
                    ELSE format('%1$s.%2$I AS %2$I', row_name, c.name)
                END, ', ' ORDER BY c.number) FILTER (WHERE c.treatment <> 'exclude'))
        ELSE format('to_jsonb(%s)', row_name)
    END
    FROM threadline.audited_tables AS t
    CROSS JOIN jsonb_to_recordset(t.columns) AS c (number smallint, name text, treatment text, token_key integer)
    JOIN threadline.columns_of(target) AS live ON live.number = c.number
    WHERE t.id = audited_table;
END;
