-- jsonb_populate_record() that gives NULL instead of failing the whole query
-- when one image no longer fits the table's types.
CREATE FUNCTION threadline.populate(base anyelement, image jsonb) RETURNS anyelement
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    RETURN pg_catalog.jsonb_populate_record(base, image);
EXCEPTION WHEN OTHERS THEN
    RETURN NULL;
END
$$;
