-- Returns the image of a row that may exceed the limits of to_jsonb(): no string in it may hold
-- more than 256 MB. A separate function, because an exception handler adds cost to every row.
CREATE OR REPLACE FUNCTION threadline.large_image(image_of anyelement) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
BEGIN
    RETURN to_jsonb(image_of);
EXCEPTION WHEN program_limit_exceeded OR untranslatable_character OR data_exception OR internal_error THEN
    RETURN threadline.row_image(image_of);
END
$$;
