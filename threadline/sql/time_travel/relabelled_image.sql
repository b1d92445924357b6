-- Returns an image captured at an instant, its labels of enums and attributes of composite types
-- under their present names, which the table accepts today.
CREATE OR REPLACE FUNCTION threadline.relabelled_image(alterations jsonb, image jsonb, captured_at timestamptz) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_altered record;
BEGIN
    IF (alterations @> '[{"what": "relabelled"}]') IS NOT TRUE THEN
        RETURN image;
    END IF;
    FOR tl_altered IN
        SELECT a.name, a.labels
        FROM ROWS FROM (jsonb_to_recordset(alterations) AS (name text, what text, "at" timestamptz, labels jsonb)) WITH ORDINALITY AS a (name, what, "at", labels, position)
        WHERE a.what = 'relabelled' AND a.at > captured_at AND image ? a.name
        ORDER BY a.position
    LOOP
        image := image || jsonb_build_object(tl_altered.name, threadline.relabel(image -> tl_altered.name, tl_altered.labels));
    END LOOP;
    RETURN image;
END
$$;
