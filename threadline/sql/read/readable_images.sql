-- Returns images in forms that jsonb_populate_record() reads: texts of json columns as the json that
-- they hold, because it would take them for strings; amounts of money, which are recorded as
-- numbers, in the locale of the session.
CREATE OR REPLACE FUNCTION threadline.readable_images(images jsonb[], of_type regtype) RETURNS jsonb[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_name text;
    tl_is_money boolean;
BEGIN
    FOR tl_name, tl_is_money IN
        SELECT a.attname, threadline.base_type(a.atttypid) = 'money'::regtype
        FROM pg_type AS t
        JOIN pg_attribute AS a ON a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE t.oid = of_type AND (a.atttypid IN ('json'::regtype, 'money'::regtype)
            OR EXISTS (SELECT FROM pg_type AS d WHERE d.oid = a.atttypid AND d.typtype = 'd' AND threadline.base_type(d.oid) IN ('json'::regtype, 'money'::regtype)))
    LOOP
        FOR tl_at IN array_lower(images, 1)..array_upper(images, 1) LOOP
            CONTINUE WHEN jsonb_typeof(images[tl_at] -> tl_name) IS DISTINCT FROM CASE WHEN tl_is_money THEN 'number' ELSE 'string' END;
            BEGIN
                images[tl_at] := images[tl_at] || jsonb_build_object(tl_name, CASE
                    WHEN tl_is_money THEN to_jsonb((images[tl_at] ->> tl_name)::numeric::money)
                    ELSE (images[tl_at] ->> tl_name)::jsonb END);
            EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
                -- It has no form in jsonb, or had another type then.
            END;
        END LOOP;
    END LOOP;
    RETURN images;
END
$$;
