-- Returns an image with a mark in the place of each value of the given columns. NULL stays NULL,
-- and an erased value keeps its mark.
CREATE OR REPLACE FUNCTION threadline.erased_image(image jsonb, names text[], mark jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN pg_catalog.jsonb_typeof(image) <> 'object' THEN image
    ELSE image || coalesce((
        SELECT pg_catalog.jsonb_object_agg(n, mark)
        FROM pg_catalog.unnest(names) AS n
        WHERE image -> n <> 'null' AND NOT threadline.is_erased(image -> n)), '{}')
END;
