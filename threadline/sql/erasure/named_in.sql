-- Returns the values of columns in an image, by the names in `by`: {"user_id": "42"}. `former` is
-- threadline.former_names() of each. Columns that the image lacks are missing.
CREATE OR REPLACE FUNCTION threadline.named_in(image jsonb, former jsonb, captured_at timestamptz) RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT coalesce(jsonb_object_agg(f.key, image ->> n.name), '{}')
    FROM jsonb_each(former) AS f
    CROSS JOIN LATERAL unnest(threadline.hidden_names(f.value, captured_at)) AS n (name)
    -- Images from before the column got this name do not contain it under this name.
    WHERE image ? n.name;
END;
