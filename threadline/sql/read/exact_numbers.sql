-- Returns the image with the values of numeric columns as strings, digit for digit, because most
-- JSON readers would parse them as binary floats. Inlined into the calling query, so that an
-- image without such a column costs nothing.
CREATE OR REPLACE FUNCTION threadline.exact_numbers(image jsonb, numeric_columns text[]) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN image OPERATOR(pg_catalog.?|) numeric_columns
    THEN threadline.exact_members(image, numeric_columns)
    ELSE image
END;
