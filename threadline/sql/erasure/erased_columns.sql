-- Returns the columns of an image whose values were erased.
CREATE OR REPLACE FUNCTION threadline.erased_columns(image jsonb) RETURNS text[]
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN pg_catalog.strpos(image::pg_catalog.text, '"erased:') = 0 OR pg_catalog.jsonb_typeof(image) <> 'object' THEN '{}'
    ELSE ARRAY(
        SELECT field.key FROM pg_catalog.jsonb_each(image) AS field
        WHERE threadline.is_erased(field.value)
        ORDER BY 1)
END;
