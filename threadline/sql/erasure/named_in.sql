-- Returns the records that columns of an image name, by the names in `former`: {"user_id": "42"}.
-- `former` is threadline.owner_names(). Columns that the image lacks are missing.
CREATE OR REPLACE FUNCTION threadline.named_in(image jsonb, former jsonb, captured_at timestamptz, key_type text) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT coalesce(jsonb_object_agg(f.key, threadline.key_named(image -> n.name, key_type)), '{}')
    FROM jsonb_each(former) AS f
    CROSS JOIN LATERAL unnest(threadline.hidden_names(f.value, captured_at)) AS n (name)
    -- Images from before the column got this name do not contain it under this name.
    WHERE image ? n.name;
END;
