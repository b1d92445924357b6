-- The image with the values of numeric columns as strings, digit for digit:
-- most JSON readers would take them for binary floats.
CREATE FUNCTION threadline.exact_numbers(image jsonb, numeric_columns text[]) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN CASE
    WHEN image IS NULL OR numeric_columns = '{}' OR pg_catalog.jsonb_typeof(image) <> 'object' THEN image
    ELSE image || coalesce((
        SELECT pg_catalog.jsonb_object_agg(c.name, image ->> c.name)
        FROM pg_catalog.unnest(numeric_columns) AS c (name)
        WHERE pg_catalog.jsonb_typeof(image -> c.name) = 'number'), '{}')
END;
