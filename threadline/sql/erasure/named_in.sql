-- What columns said in an image, by the names that they have in `by`: {"user_id": "42"}.
-- `former` is threadline.former_names() of each. What the image does not have is missing.
CREATE FUNCTION threadline.named_in(image jsonb, former jsonb, captured_at timestamptz) RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT coalesce(jsonb_object_agg(f.key, image ->> n.name), '{}')
    FROM jsonb_each(former) AS f
    CROSS JOIN LATERAL unnest(threadline.hidden_names(f.value, captured_at)) AS n (name)
    -- Before it got its name it is not in an image under it.
    WHERE image ? n.name;
END;
