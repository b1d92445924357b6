-- SQL for the image of a row called row_name: the one place that decides what
-- of a row may be stored. A whole row is turned to JSON at once; as soon as
-- one column needs care, or is not to be there, each is named, so that nothing
-- unnamed gets through.
CREATE FUNCTION threadline.image_expression(audited_table integer, target regclass, row_name text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT CASE WHEN bool_or(c.treatment <> 'clear' OR live.form <> live.reference)
             OR EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = target AND a.attgenerated = 'v')
        THEN format(
            '(SELECT to_jsonb(tl_image.*) FROM (SELECT %s) AS tl_image)',
            string_agg(
                CASE
                    WHEN c.treatment = 'token' THEN format('%s AS %I', threadline.token_expression(live.reference, live.type, c.token_key), c.name)
                    WHEN c.treatment = 'mask' THEN format(
                        'CASE WHEN %s IS DISTINCT FROM NULL THEN %L::jsonb END AS %I',
                        live.reference, threadline.placeholder(live.type), c.name)
                    ELSE format('%s AS %I', live.form, c.name)
                END, ', ' ORDER BY c.number) FILTER (WHERE c.treatment <> 'exclude'))
        -- Without the star it could be a column of that name.
        ELSE format('to_jsonb(%s.*)', row_name)
    END
    FROM threadline.audited_tables AS t
    CROSS JOIN jsonb_to_recordset(t.columns) AS c (number smallint, name text, treatment text, token_key integer)
    JOIN (
        SELECT column_of.number, column_of.type, reference.text AS reference, threadline.json_form(column_of.type, reference.text) AS form
        FROM threadline.columns_of(target) AS column_of
        CROSS JOIN LATERAL (SELECT format('%s.%I', row_name, column_of.name) AS text) AS reference
    ) AS live ON live.number = c.number
    WHERE t.id = audited_table;
END;
