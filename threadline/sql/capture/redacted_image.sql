-- Returns a row's image reduced to the plain columns, with placeholders for the masked ones.
CREATE OR REPLACE FUNCTION threadline.redacted_image(image jsonb, plain text[], masks jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN image IS NOT NULL THEN (
    SELECT coalesce(
        pg_catalog.jsonb_object_agg(
            field.key,
            CASE WHEN pg_catalog.jsonb_typeof(field.value) = 'null' OR NOT coalesce(masks, '{}') ? field.key
                 THEN field.value ELSE masks -> field.key END),
        '{}')
    FROM pg_catalog.jsonb_each(image) AS field
    WHERE field.key = ANY (plain) OR coalesce(masks, '{}') ? field.key
) END;
