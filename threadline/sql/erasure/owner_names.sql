-- Returns the names that each column of a plan had that names the person, as
-- threadline.names_over_time() does: {"user_id": [...]}.
CREATE OR REPLACE FUNCTION threadline.owner_names(plan jsonb) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
-- As text: a parsed body is shown differently after a restore.
AS $$
    SELECT coalesce(jsonb_object_agg(b.label, threadline.names_over_time((plan -> 'table_id')::integer, b.names, b.gone, (plan ->> 'at')::timestamptz)), '{}')
    FROM (
        SELECT n AS label, ARRAY[n] AS names, '[]'::jsonb AS gone FROM jsonb_array_elements_text(plan -> 'by') AS n
        UNION ALL
        SELECT format('%s until %s', g ->> 'name', g ->> 'at'), '{}', jsonb_build_array(g) FROM jsonb_array_elements(plan -> 'by_gone') AS g
    ) AS b;
$$;
