-- Rows of a table made from images, in their order: jsonb_populate_record() that does not
-- fail the whole query when one image no longer fits the table's types. A placeholder that
-- its column's type does not take (a masked date) reads as NULL; a row that does not fit
-- is NULL. Many at once, because each attempt costs a plan and a subtransaction: if one
-- does not fit, the halves are tried. Planned at each call: a plan that is kept remembers
-- the row type as it was before somebody changed the table.
CREATE FUNCTION threadline.populate_rows(base anyelement, images jsonb[], redacted text[], OUT populated anyarray)
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    tl_attempt text := 'SELECT pg_catalog.array_agg(pg_catalog.jsonb_populate_record($1, i.image) ORDER BY i.place)
                        FROM pg_catalog.unnest($2) WITH ORDINALITY AS i (image, place)';
    tl_half integer := pg_catalog.cardinality(images) / 2;
BEGIN
    images := threadline.json_documents(images, pg_catalog.pg_typeof(base));
    EXECUTE tl_attempt INTO populated USING base, images;
EXCEPTION WHEN data_exception OR integrity_constraint_violation OR datatype_mismatch OR program_limit_exceeded THEN
    IF tl_half > 0 THEN
        populated := threadline.populate_rows(base, images[:tl_half], redacted)
            OPERATOR(pg_catalog.||) threadline.populate_rows(base, images[tl_half + 1:], redacted);
        RETURN;
    END IF;
    BEGIN
        EXECUTE tl_attempt INTO populated USING base, ARRAY[images[1] OPERATOR(pg_catalog.-) redacted];
    EXCEPTION WHEN data_exception OR integrity_constraint_violation OR datatype_mismatch OR program_limit_exceeded THEN
        EXECUTE 'SELECT ARRAY[$1]' INTO populated USING base;
    END;
END
$$;
