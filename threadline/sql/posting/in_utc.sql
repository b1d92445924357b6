-- Returns an image with its instants in UTC. A trigger records them in the time zone of the
-- writing session, because pinning the zone would add cost to every write. For
-- threadline.pending_changes(), which has the settings pinned: here each image would pay.
CREATE OR REPLACE FUNCTION threadline.in_utc(image jsonb, instants text[]) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
DECLARE
    tl_name text;
    tl_value text;
BEGIN
    FOREACH tl_name IN ARRAY instants LOOP
        tl_value := image ->> tl_name;
        IF tl_value ~ '^[0-9]' AND tl_value !~ '[+]00:00( BC)?$' THEN
            BEGIN
                image := image || jsonb_build_object(tl_name, tl_value::timestamptz);
            EXCEPTION WHEN data_exception THEN
                -- A mask, or no longer an instant.
            END;
        END IF;
    END LOOP;
    RETURN image;
END
$$;
