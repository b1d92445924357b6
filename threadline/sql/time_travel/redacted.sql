-- Returns an image redacted by a result of redaction(). NULL stays NULL, and erased values stay
-- erased.
CREATE OR REPLACE FUNCTION threadline.redacted(image jsonb, hidden text[], masks jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN masks = '{}' THEN image - hidden
    ELSE (image - hidden) || coalesce((
        SELECT pg_catalog.jsonb_object_agg(mask.key, mask.value)
        FROM pg_catalog.jsonb_each(masks) AS mask
        WHERE image -> mask.key <> 'null' AND NOT threadline.is_erased(image -> mask.key)), '{}')
END;
