-- An image with the numbers of its numeric columns as strings, digit for digit, also of
-- columns that are numeric no more: nothing else writes a zero at the end of a fraction.
CREATE FUNCTION threadline.exact_image(image jsonb, numeric_columns text[]) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN pg_catalog.jsonb_typeof(image) <> 'object' THEN image
    ELSE image || coalesce((
        SELECT pg_catalog.jsonb_object_agg(field.key, field.value #>> '{}')
        FROM pg_catalog.jsonb_each(image) AS field
        WHERE pg_catalog.jsonb_typeof(field.value) = 'number'
          AND (field.key = ANY (numeric_columns) OR field.value::text ~ '[.][0-9]*0$')), '{}')
END;
