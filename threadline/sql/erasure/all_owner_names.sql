-- Returns every name in a result of threadline.owner_names().
CREATE OR REPLACE FUNCTION threadline.all_owner_names(owner_names jsonb) RETURNS text[]
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT coalesce(array_agg(DISTINCT n.name), '{}')
    FROM jsonb_each(owner_names) AS o
    CROSS JOIN unnest(threadline.all_names(o.value)) AS n (name);
END;
