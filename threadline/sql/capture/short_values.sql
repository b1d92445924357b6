-- Returns an image without its long values, which the images of an update need not have.
CREATE OR REPLACE FUNCTION threadline.short_values(image jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN image - ARRAY(SELECT v.key FROM pg_catalog.jsonb_each(image) AS v WHERE pg_catalog.pg_column_size(v.value) > 1000);
