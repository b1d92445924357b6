-- Returns an image captured at one instant with the labels of enums and the attributes of composite
-- types that its values have at another.
CREATE OR REPLACE FUNCTION threadline.relabelled_between(alterations jsonb, captured_at timestamptz, instant timestamptz, image jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_forward boolean := captured_at <= instant;
    tl_altered jsonb;
    tl_at timestamptz;
    tl_labels jsonb;
    tl_count integer := jsonb_array_length(alterations);
BEGIN
    IF NOT alterations @> '[{"what": "relabelled"}]' THEN
        RETURN image;
    END IF;
    FOR tl_number IN 1..tl_count LOOP
        tl_altered := alterations -> CASE WHEN tl_forward THEN tl_number - 1 ELSE tl_count - tl_number END;
        CONTINUE WHEN tl_altered ->> 'what' <> 'relabelled' OR image -> (tl_altered ->> 'name') IS NULL;
        tl_at := tl_altered ->> 'at';
        CONTINUE WHEN NOT (tl_at > least(captured_at, instant) AND tl_at <= greatest(captured_at, instant));
        tl_labels := tl_altered -> 'labels';
        IF NOT tl_forward THEN
            SELECT jsonb_object_agg(l.value, l.key) INTO tl_labels FROM jsonb_each_text(tl_labels) AS l;
        END IF;
        image := image || jsonb_build_object(tl_altered ->> 'name', threadline.relabel(image -> (tl_altered ->> 'name'), tl_labels));
    END LOOP;
    RETURN image;
END
$$;
