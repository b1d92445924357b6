-- SQL for the image of a live row called row_name, as the table's policy lets
-- it be seen in the audit. To be run with capture's settings.
CREATE FUNCTION threadline.live_expression(audited_table integer, target regclass, row_name text) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
BEGIN
    RETURN (
        SELECT CASE WHEN bool_and(live.treatment = 'clear') THEN format('(%s)', live.image)
                    ELSE format('threadline.redacted_image(%s, %L, %L)', live.image,
                        coalesce(array_agg(live.name) FILTER (WHERE live.treatment = 'clear'), '{}'),
                        jsonb_object_agg(live.name, threadline.placeholder(live.type)) FILTER (WHERE live.treatment = 'mask'))
               END
        FROM (
            SELECT c.*,
                   CASE WHEN bool_or(c.type = 'json'::regtype) OVER ()
                        THEN format('threadline.row_image(%s, %L)', row_name, target::oid)
                        ELSE format('to_jsonb(%s)', row_name) END
                   || coalesce(string_agg(
                       format(' || jsonb_build_object(%L, %s.%I::numeric)', c.name, row_name, c.name), ''
                   ) FILTER (WHERE c.type = 'money'::regtype) OVER (), '') AS image
            FROM threadline.column_policy(audited_table, target) AS c
        ) AS live
        GROUP BY live.image);
END
$$;
