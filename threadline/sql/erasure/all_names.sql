-- Returns every name that columns of a table ever had.
CREATE OR REPLACE FUNCTION threadline.all_names(audited_table integer, names text[]) RETURNS text[]
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT coalesce(array_agg(DISTINCT n.name), '{}')
    FROM jsonb_array_elements(threadline.former_names(audited_table, names, names)) AS f
    CROSS JOIN unnest((f ->> 'names')::text[]) AS n (name);
END;
