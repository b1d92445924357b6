-- Returns a policy with the present names of columns that were renamed since it was written.
-- Columns that are gone keep their names.
CREATE OR REPLACE FUNCTION threadline.under_present_names(target regclass, policy jsonb) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT jsonb_object_agg(option.key, CASE
        WHEN option.key = 'subject' THEN (
            SELECT jsonb_object_agg(coalesce(threadline.present_name(target, f.key), f.key), f.value) FROM jsonb_each(option.value) AS f)
        WHEN option.key = 'operations' OR jsonb_typeof(option.value) <> 'array' THEN option.value
        ELSE (
            SELECT coalesce(jsonb_agg(DISTINCT now.name ORDER BY now.name), '[]')
            FROM jsonb_array_elements_text(option.value) AS c (name)
            CROSS JOIN LATERAL (SELECT coalesce(threadline.present_name(target, c.name), c.name) AS name) AS now)
        END)
    FROM jsonb_each(policy) AS option;
END;
