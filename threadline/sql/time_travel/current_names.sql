-- An image captured at an instant, its columns under the names of today.
CREATE FUNCTION threadline.current_names(audited_table integer, image jsonb, captured_at timestamptz) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_names jsonb;
    tl_image jsonb := image;
BEGIN
    IF jsonb_typeof(image) IS DISTINCT FROM 'object' THEN
        RETURN image;
    END IF;
    -- What was renamed at once is exchanged at once.
    FOR tl_names IN
        SELECT jsonb_object_agg(r.former_name, r.name)
        FROM threadline.renames_of(audited_table) AS r
        WHERE r.renamed_at > current_names.captured_at
        GROUP BY r.renamed_at
        ORDER BY r.renamed_at
    LOOP
        SELECT jsonb_object_agg(coalesce(tl_names ->> field.key, field.key), field.value ORDER BY tl_names ? field.key)
        INTO tl_image
        FROM jsonb_each(tl_image) AS field;
    END LOOP;
    RETURN coalesce(tl_image, '{}');
END
$$;
