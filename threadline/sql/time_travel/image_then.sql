-- Returns an image of an instant without columns that were added and dropped since, which images of
-- later changes have. Values of the key that are not on record come from the key of the record: a
-- command that alters a column of the key leaves the records theirs.
CREATE OR REPLACE FUNCTION threadline.image_then(alterations jsonb, image jsonb, instant timestamptz, key jsonb) RETURNS jsonb
LANGUAGE sql STABLE
RETURN CASE
    WHEN alterations IS NULL OR pg_catalog.jsonb_typeof(image) <> 'object' THEN image
    ELSE coalesce(key, '{}') || (image - ARRAY(
        SELECT a.name
        FROM pg_catalog.jsonb_to_recordset(alterations) AS a (name text, what text, "at" timestamptz)
        WHERE a.what IN ('added', 'dropped')
        GROUP BY a.name
        HAVING (pg_catalog.array_agg(a.what ORDER BY a.at) FILTER (WHERE a.at > instant))[1] = 'added'
           AND (pg_catalog.array_agg(a.what ORDER BY a.at DESC))[1] = 'dropped'))
END;
