-- Merges images of a record, in the order of time or against it, with what each implies for the
-- next: for threadline.laid().
CREATE OR REPLACE FUNCTION threadline.lay_image(state jsonb, alterations jsonb, image jsonb, captured_at timestamptz) RETURNS jsonb
LANGUAGE sql STABLE
RETURN CASE
    WHEN pg_catalog.jsonb_typeof(image) IS DISTINCT FROM 'object' THEN state
    WHEN alterations IS NULL THEN pg_catalog.jsonb_build_object('image', coalesce(state -> 'image', '{}') || image)
    ELSE pg_catalog.jsonb_build_object('at', captured_at, 'image',
        coalesce(threadline.still_true(alterations, state -> 'image', (state ->> 'at')::timestamptz, captured_at), '{}') || image)
END;

CREATE OR REPLACE AGGREGATE threadline.lay(alterations jsonb, image jsonb, captured_at timestamptz) (
    SFUNC = threadline.lay_image,
    STYPE = jsonb
);
