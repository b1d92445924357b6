-- Returns the names that columns had before a rename, {"former": "now"}, in the same order.
CREATE OR REPLACE FUNCTION threadline.names_before(names text[], renamed jsonb) RETURNS text[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT coalesce(array_agg(coalesce(former.key, h.name) ORDER BY h.place), '{}')
    FROM unnest(names) WITH ORDINALITY AS h (name, place)
    LEFT JOIN jsonb_each_text(renamed) AS former ON former.value = h.name
    -- Otherwise the column of this name was another one.
    WHERE former.key IS NOT NULL OR NOT renamed ? h.name;
END;
