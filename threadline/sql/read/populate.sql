-- jsonb_populate_record() that does not fail the whole query when one image no
-- longer fits the table's types. A placeholder that its column's type does not
-- take (a masked date) reads as NULL; a row that does not fit is all NULL.
CREATE FUNCTION threadline.populate(base anyelement, image jsonb, redacted text[]) RETURNS anyelement
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    RETURN pg_catalog.jsonb_populate_record(base, image);
EXCEPTION WHEN OTHERS THEN
    BEGIN
        RETURN pg_catalog.jsonb_populate_record(base, image - redacted);
    EXCEPTION WHEN OTHERS THEN
        RETURN NULL;
    END;
END
$$;
