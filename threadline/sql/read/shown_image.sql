-- Returns an image of a change with a placeholder for each value that threadline.hiding() hides.
-- NULL, keyed hashes and the marks of erased values stay, because they reveal no value.
CREATE OR REPLACE FUNCTION threadline.shown_image(image jsonb, hiding jsonb, captured_at timestamptz) RETURNS jsonb
LANGUAGE plpgsql STABLE STRICT SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_name text;
BEGIN
    IF jsonb_typeof(image) <> 'object' THEN
        RETURN image;
    END IF;
    FOREACH tl_name IN ARRAY threadline.hidden_names(hiding, captured_at) LOOP
        CONTINUE WHEN (image ->> tl_name) IS NULL OR image ->> tl_name ~ '^(hash:([0-9a-f]{32}|unknown)|erased:[0-9]+)$';
        image := image || jsonb_build_object(tl_name,
            CASE jsonb_typeof(image -> tl_name)
                WHEN 'number' THEN '0'::jsonb
                WHEN 'boolean' THEN 'false'::jsonb
                WHEN 'object' THEN '{}'::jsonb
                WHEN 'array' THEN '[]'::jsonb
                ELSE '"***"'::jsonb END);
    END LOOP;
    RETURN image;
END
$$;
