-- Returns the text as a JSON array, or NULL: a stored value that is neither does not make a read
-- fail.
CREATE OR REPLACE FUNCTION threadline.json_array_or_null(value text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN CASE WHEN pg_catalog.left(value, 1) = '[' THEN value::pg_catalog.jsonb END;
EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
    RETURN NULL;
END
$$;
