-- The image of a row for which to_jsonb() may be too small: no string of it holds more
-- than 256 MB. Apart, because to catch an error costs each row that causes none.
CREATE FUNCTION threadline.large_image(image_of anyelement) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
BEGIN
    RETURN to_jsonb(image_of);
EXCEPTION WHEN program_limit_exceeded OR untranslatable_character OR data_exception OR internal_error THEN
    RETURN threadline.row_image(image_of);
END
$$;
