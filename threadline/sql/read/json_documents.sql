-- An image with what its json columns say in the place of the texts that say it, for
-- jsonb_populate_record(), which would take them for strings.
CREATE FUNCTION threadline.json_documents(image jsonb, of_type regtype) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_name text;
BEGIN
    FOR tl_name IN
        SELECT a.attname
        FROM pg_type AS t
        JOIN pg_attribute AS a ON a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE t.oid = of_type AND a.atttypid IN ('json'::regtype, (SELECT d.oid FROM pg_type AS d WHERE d.oid = a.atttypid AND d.typtype = 'd' AND threadline.base_type(d.oid) = 'json'::regtype))
          AND jsonb_typeof(image -> a.attname) = 'string'
    LOOP
        BEGIN
            image := image || jsonb_build_object(tl_name, (image ->> tl_name)::jsonb);
        EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
            -- It has no form in jsonb, or was no json then.
        END;
    END LOOP;
    RETURN image;
END
$$;
