-- Returns why an image does not match a row type: the columns whose values the type does not
-- accept, with the error of each, as {"column": "reason"}. For threadline.populate_rows(), which
-- only detects the mismatch.
CREATE OR REPLACE FUNCTION threadline.misfits(base anyelement, image jsonb, redacted text[]) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
DECLARE
    tl_column record;
    tl_misfits jsonb := '{}';
BEGIN
    image := (threadline.readable_images(ARRAY[threadline.without_marks(image, pg_catalog.pg_typeof(base))], pg_catalog.pg_typeof(base)))[1];
    FOR tl_column IN
        SELECT a.attname::pg_catalog.text AS name, pg_catalog.format_type(a.atttypid, a.atttypmod) AS type
        FROM pg_catalog.pg_type AS t
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE t.oid = pg_catalog.pg_typeof(base) AND a.attname::pg_catalog.text <> ALL (redacted)
        ORDER BY a.attnum
    LOOP
        BEGIN
            EXECUTE pg_catalog.format('SELECT tl_row.%1$I::pg_catalog.text FROM pg_catalog.jsonb_to_record($1) AS tl_row (%1$I %2$s)',
                tl_column.name, tl_column.type) USING image;
        EXCEPTION WHEN data_exception OR integrity_constraint_violation OR datatype_mismatch OR program_limit_exceeded THEN
            tl_misfits := tl_misfits || pg_catalog.jsonb_build_object(tl_column.name, SQLERRM);
        END;
    END LOOP;
    RETURN tl_misfits;
END
$$;
