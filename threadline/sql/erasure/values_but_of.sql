-- Returns the names in an image, other than the given ones, under which it has values that are not
-- erased.
CREATE OR REPLACE FUNCTION threadline.values_but_of(image jsonb, names text[]) RETURNS text[]
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN pg_catalog.jsonb_typeof(image) <> 'object' OR image - names = '{}' THEN '{}'
    ELSE ARRAY(
        SELECT field.key FROM pg_catalog.jsonb_each(image - names) AS field
        WHERE field.value <> 'null' AND NOT threadline.is_erased(field.value)) END;
