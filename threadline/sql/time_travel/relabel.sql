-- Returns a value with today's labels, or names of attributes, in place of the former ones.
CREATE OR REPLACE FUNCTION threadline.relabel(value jsonb, labels jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
BEGIN
    RETURN CASE jsonb_typeof(value)
        WHEN 'string' THEN coalesce(labels -> (value #>> '{}'), value)
        WHEN 'array' THEN (
            SELECT coalesce(jsonb_agg(threadline.relabel(e.value, labels) ORDER BY e.ordinality), '[]')
            FROM jsonb_array_elements(value) WITH ORDINALITY AS e)
        WHEN 'object' THEN (
            SELECT coalesce(jsonb_object_agg(coalesce(labels ->> m.key, m.key), m.value), '{}') FROM jsonb_each(value) AS m)
        ELSE value END;
END
$$;
