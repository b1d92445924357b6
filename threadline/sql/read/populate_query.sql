-- Returns the query with which threadline.populate_rows() makes rows of a type from images that have
-- a null in a JSON column that takes no NULL; NULL if none has. In an image, the null of JSON and that
-- of SQL are the same; here it is that of JSON, which jsonb_populate_record() would make that of SQL.
CREATE OR REPLACE FUNCTION threadline.populate_query(of_type regtype, images jsonb[]) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_columns name[] := ARRAY(
        SELECT a.attname
        FROM pg_type AS t
        JOIN pg_attribute AS a ON a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE t.oid = of_type AND a.attnotnull AND threadline.base_type(a.atttypid) IN ('json'::regtype, 'jsonb'::regtype)
          AND EXISTS (SELECT FROM unnest(images) AS image WHERE image -> a.attname = 'null'));
    tl_row text;
BEGIN
    IF tl_columns = '{}' THEN
        RETURN NULL;
    END IF;
    SELECT format('CASE WHEN tl_image.image IS NOT NULL THEN ROW(%s)::%s END',
               string_agg(format(
                   CASE WHEN a.attname = ANY (tl_columns)
                        -- OPERATOR: it runs under the caller's search_path.
                        THEN 'CASE WHEN tl_image.image OPERATOR(pg_catalog.->) %2$L OPERATOR(pg_catalog.=) ''null'' THEN ''null'' ELSE tl_row.%1$I END'
                        ELSE 'tl_row.%1$I' END, a.attname, a.attname), ', ' ORDER BY a.attnum),
               (SELECT format('%I.%I', n.nspname, t.typname) FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace WHERE t.oid = of_type))
    INTO tl_row
    FROM pg_type AS t
    JOIN pg_attribute AS a ON a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE t.oid = of_type;
    RETURN format('SELECT pg_catalog.array_agg(%s ORDER BY tl_image.place)
                   FROM pg_catalog.unnest($2) WITH ORDINALITY AS tl_image (image, place)
                   CROSS JOIN LATERAL pg_catalog.jsonb_populate_record($1, tl_image.image) AS tl_row', tl_row);
END
$$;
