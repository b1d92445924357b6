-- Returns every name in a result of threadline.names_over_time().
CREATE OR REPLACE FUNCTION threadline.all_names(names_over_time jsonb) RETURNS text[]
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT coalesce(array_agg(DISTINCT n.name), '{}')
    FROM jsonb_array_elements(names_over_time) AS f
    CROSS JOIN unnest((f ->> 'names')::text[]) AS n (name);
END;
