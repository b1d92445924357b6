-- Returns images in which texts of json columns are replaced by the json that they hold, for
-- jsonb_populate_record(), which would take them for strings.
CREATE OR REPLACE FUNCTION threadline.json_documents(images jsonb[], of_type regtype) RETURNS jsonb[]
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
    LOOP
        FOR tl_at IN array_lower(images, 1)..array_upper(images, 1) LOOP
            CONTINUE WHEN jsonb_typeof(images[tl_at] -> tl_name) IS DISTINCT FROM 'string';
            BEGIN
                images[tl_at] := images[tl_at] || jsonb_build_object(tl_name, (images[tl_at] ->> tl_name)::jsonb);
            EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
                -- It has no form in jsonb, or was not json then.
            END;
        END LOOP;
    END LOOP;
    RETURN images;
END
$$;
