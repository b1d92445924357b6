-- jsonb_populate_record() that does not fail the whole query when one image no
-- longer fits the table's types. A placeholder that its column's type does not
-- take (a masked date) reads as NULL; a row that does not fit is all NULL.
-- Planned at each call: a plan that is kept remembers the row type as it was before
-- somebody changed the table.
CREATE FUNCTION threadline.populate(base anyelement, image jsonb, redacted text[], OUT populated anyelement)
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    image := threadline.json_documents(threadline.without_marks(image, pg_catalog.pg_typeof(base)), pg_catalog.pg_typeof(base));
    EXECUTE 'SELECT (pg_catalog.jsonb_populate_record($1, $2)).*' INTO populated USING base, image;
EXCEPTION WHEN data_exception OR integrity_constraint_violation OR datatype_mismatch OR program_limit_exceeded THEN
    BEGIN
        EXECUTE 'SELECT (pg_catalog.jsonb_populate_record($1, $2)).*' INTO populated USING base, image - redacted;
    EXCEPTION WHEN data_exception OR integrity_constraint_violation OR datatype_mismatch OR program_limit_exceeded THEN
        populated := NULL;
    END;
END
$$;
