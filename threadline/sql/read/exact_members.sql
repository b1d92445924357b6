-- Returns the image with the numbers of the given columns as strings.
CREATE OR REPLACE FUNCTION threadline.exact_members(image jsonb, numeric_columns text[]) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN pg_catalog.jsonb_typeof(image) <> 'object' THEN image
    ELSE image || coalesce((
        SELECT pg_catalog.jsonb_object_agg(c.name, image ->> c.name)
        FROM pg_catalog.unnest(numeric_columns) AS c (name)
        WHERE pg_catalog.jsonb_typeof(image -> c.name) = 'number'), '{}')
END;
