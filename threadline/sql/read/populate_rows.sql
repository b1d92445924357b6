-- Returns rows of a table made from images, in their order: jsonb_populate_record() that does not
-- fail the whole query when one image no longer matches the table's types. A placeholder that its
-- column's type does not accept (a masked date) reads as NULL; a row that does not match is NULL.
-- Takes many images at once, because each attempt costs a plan and a subtransaction: if one does
-- not match, each eighth is tried. Planned at each call: a cached plan keeps the row type from
-- before a change of the table.
CREATE OR REPLACE FUNCTION threadline.populate_rows(base anyelement, images jsonb[], redacted text[], OUT populated anyarray)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    tl_attempt text := 'SELECT pg_catalog.array_agg(pg_catalog.jsonb_populate_record($1, i.image) ORDER BY i.place)
                        FROM pg_catalog.unnest($2) WITH ORDINALITY AS i (image, place)';
    tl_eighth integer := (pg_catalog.cardinality(images) + 7) / 8;
BEGIN
    IF pg_catalog.strpos(images::pg_catalog.text, 'erased:') OPERATOR(pg_catalog.>) 0 THEN
        images := ARRAY(
            SELECT threadline.without_marks(i.image, pg_catalog.pg_typeof(base))
            FROM pg_catalog.unnest(images) WITH ORDINALITY AS i (image, place)
            ORDER BY i.place);
    END IF;
    images := threadline.readable_images(images, pg_catalog.pg_typeof(base));
    IF pg_catalog.strpos(images::pg_catalog.text, ': null') OPERATOR(pg_catalog.>) 0 THEN
        tl_attempt := coalesce(threadline.populate_query(pg_catalog.pg_typeof(base), images), tl_attempt);
    END IF;
    EXECUTE tl_attempt INTO populated USING base, images;
EXCEPTION WHEN data_exception OR integrity_constraint_violation OR datatype_mismatch OR program_limit_exceeded THEN
    populated := NULL;
    IF pg_catalog.cardinality(images) > 1 THEN
        FOR tl_part IN 0..7 LOOP
            EXIT WHEN tl_part * tl_eighth >= pg_catalog.cardinality(images);
            populated := populated OPERATOR(pg_catalog.||) threadline.populate_rows(
                base, images[tl_part * tl_eighth + 1 : (tl_part + 1) * tl_eighth], redacted);
        END LOOP;
        RETURN;
    END IF;
    EXECUTE 'SELECT ARRAY[$1]' INTO populated USING base;
    IF images[1] OPERATOR(pg_catalog.?|) redacted THEN
        BEGIN
            EXECUTE tl_attempt INTO populated USING base, ARRAY[images[1] OPERATOR(pg_catalog.-) redacted];
        EXCEPTION WHEN data_exception OR integrity_constraint_violation OR datatype_mismatch OR program_limit_exceeded THEN
            -- It stays NULL.
        END;
    END IF;
END
$$;
