-- Returns an image captured at an instant, its columns under today's names.
CREATE OR REPLACE FUNCTION threadline.renamed_image(renames jsonb, image jsonb, captured_at timestamptz) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_batch jsonb;
    tl_names jsonb;
    tl_image jsonb := image;
BEGIN
    IF renames IS NULL OR jsonb_typeof(image) IS DISTINCT FROM 'object' THEN
        RETURN image;
    END IF;
    FOR tl_batch IN SELECT * FROM jsonb_array_elements(renames) LOOP
        CONTINUE WHEN (tl_batch ->> 'at')::timestamptz <= captured_at;
        tl_names := tl_batch -> 'names';
        SELECT coalesce(jsonb_object_agg(coalesce(tl_names ->> field.key, field.key), field.value ORDER BY tl_names ? field.key), '{}')
        INTO tl_image
        FROM jsonb_each(tl_image) AS field
        WHERE tl_names -> field.key IS DISTINCT FROM 'null';
    END LOOP;
    RETURN tl_image;
END
$$;
