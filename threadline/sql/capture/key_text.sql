-- Returns the canonical text of one key value. Equal numbers have one text (1.10 and 1.1);
-- everything else is its JSON text without quotes.
CREATE OR REPLACE FUNCTION threadline.key_text(value jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE pg_catalog.jsonb_typeof(value)
    WHEN 'number' THEN pg_catalog.trim_scale((value #>> '{}')::pg_catalog.numeric)::pg_catalog.text
    ELSE value #>> '{}'
END;
