-- Returns an image without the erased values that the columns of a row type cannot hold.
CREATE OR REPLACE FUNCTION threadline.without_marks(image jsonb, of_type regtype) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
BEGIN
    IF strpos(image::text, '"erased:') = 0 THEN
        RETURN image;
    END IF;
    RETURN image - ARRAY(
        SELECT a.attname::text
        FROM pg_type AS t
        JOIN pg_attribute AS a ON a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
        JOIN pg_type AS c ON c.oid = a.atttypid
        WHERE t.oid = of_type AND threadline.is_erased(image -> a.attname)
          AND NOT (c.oid IN ('text'::regtype, 'varchar'::regtype) AND (a.atttypmod < 0 OR a.atttypmod - 4 >= length(image ->> a.attname))));
END
$$;
