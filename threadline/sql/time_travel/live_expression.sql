-- SQL for the image of a live row called row_name, as the table's policy lets
-- it be seen in the audit. To be run with capture's settings.
CREATE FUNCTION threadline.live_expression(audited_table integer, target regclass, row_name text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    WITH live AS (
        SELECT CASE WHEN bool_or(c.type = 'json'::regtype)
                    THEN format('threadline.row_image(%s, %L)', row_name, target::oid)
                    ELSE format('to_jsonb(%s)', row_name) END
               || coalesce(string_agg(
                   format(' || jsonb_build_object(%L, %s.%I::numeric)', c.name, row_name, c.name), ''
               ) FILTER (WHERE c.type = 'money'::regtype), '') AS image
        FROM threadline.columns_of(target) AS c
    )
    SELECT CASE WHEN bool_and(c.treatment = 'clear') THEN format('(%s)', min(live.image))
                ELSE format('threadline.redacted_image(%s, %L, %L)', min(live.image),
                    coalesce(array_agg(c.name) FILTER (WHERE c.treatment = 'clear'), '{}'),
                    jsonb_object_agg(c.name, threadline.placeholder(to_regtype(c.type))) FILTER (WHERE c.treatment = 'mask'))
           END
    FROM live
    CROSS JOIN threadline.audited_tables AS t
    CROSS JOIN jsonb_to_recordset(t.columns) AS c (name text, type text, treatment text)
    WHERE t.id = audited_table;
END;
