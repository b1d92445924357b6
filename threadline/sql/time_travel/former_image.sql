-- Returns an image under the column names of an instant, given one under today's names: the
-- inverse of threadline.renamed_image().
CREATE OR REPLACE FUNCTION threadline.former_image(renames jsonb, image jsonb, instant timestamptz) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_batch jsonb;
    tl_image jsonb := image;
BEGIN
    IF renames IS NULL OR jsonb_typeof(image) IS DISTINCT FROM 'object' THEN
        RETURN image;
    END IF;
    FOR tl_batch IN SELECT b.value FROM jsonb_array_elements(renames) WITH ORDINALITY AS b (value, place) ORDER BY b.place DESC LOOP
        CONTINUE WHEN (tl_batch ->> 'at')::timestamptz <= instant;
        SELECT coalesce(jsonb_object_agg(coalesce(former.key, field.key), field.value ORDER BY former.key IS NOT NULL), '{}')
        INTO tl_image
        FROM jsonb_each(tl_image) AS field
        LEFT JOIN jsonb_each_text(tl_batch -> 'names') AS former ON former.value = field.key;
    END LOOP;
    RETURN tl_image;
END
$$;
