-- Returns SQL for the image of a live row called row_name, redacted by the table's policy. Must
-- run with capture's settings.
CREATE OR REPLACE FUNCTION threadline.live_expression(audited_table integer, target regclass, row_name text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_hazard text := threadline.image_hazard(target, row_name);
BEGIN
    RETURN (
        SELECT CASE WHEN bool_and(live.column_policy = 'plain') THEN format('(%s)', careful.image)
                    ELSE format('threadline.redacted_image(%s, %L, %L)', careful.image,
                        coalesce(array_agg(live.name) FILTER (WHERE live.column_policy = 'plain'), '{}'),
                        jsonb_object_agg(live.name, threadline.placeholder(live.type)) FILTER (WHERE live.column_policy = 'mask'))
               END
        FROM (
            SELECT c.*,
                   CASE WHEN bool_or(value.form <> value.reference) OVER ()
                             OR EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = target AND a.attgenerated = 'v')
                        THEN format('(SELECT to_jsonb(tl_image.*) FROM (SELECT %s) AS tl_image)',
                                    string_agg(format('%s AS %I', value.form, c.name), ', ') OVER ())
                        ELSE format('to_jsonb(%s.*)', row_name) END AS image
            FROM threadline.column_policy(audited_table, target) AS c
            CROSS JOIN LATERAL (SELECT format('%s.%I', row_name, c.name) AS reference) AS named
            CROSS JOIN LATERAL (SELECT named.reference, threadline.json_form(c.type, named.reference) AS form) AS value
        ) AS live
        CROSS JOIN LATERAL (
            SELECT CASE WHEN tl_hazard IS NULL THEN live.image
                        ELSE format('CASE WHEN %s THEN threadline.row_image(%s.*) ELSE %s END', tl_hazard, row_name, live.image) END AS image
        ) AS careful
        GROUP BY careful.image);
END
$$;
