-- Returns whether an image names one of the keys, as threadline.keys_named() returns them, in one
-- of the columns. Called for each change that is read, so it must not contain a query.
CREATE OR REPLACE FUNCTION threadline.names_person(image jsonb, names text[], keys text[], key_type text) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_name text;
BEGIN
    IF image IS NOT NULL THEN
        FOREACH tl_name IN ARRAY names LOOP
            IF image ? tl_name AND threadline.key_named(image -> tl_name, key_type) = ANY (keys) THEN
                RETURN true;
            END IF;
        END LOOP;
    END IF;
    RETURN false;
END
$$;
