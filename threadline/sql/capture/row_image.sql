-- Any row, or value of a composite type, as JSON, without ever failing. If a value has
-- no form in jsonb (\u0000 inside json[]), all of them but numbers and the like are
-- kept as their text, and what is beyond the 200 MB that fit in is marked as too large.
CREATE FUNCTION threadline.row_image(image_of anyelement) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
SET timezone = 'UTC'
SET datestyle = 'ISO, YMD'
SET intervalstyle = 'postgres'
SET bytea_output = 'hex'
SET extra_float_digits = 1
AS $$
DECLARE
    tl_relation regclass := (SELECT t.typrelid FROM pg_type AS t WHERE t.oid = threadline.base_type(pg_typeof(image_of)));
    tl_fields text;
    tl_image jsonb;
BEGIN
    IF image_of IS NOT DISTINCT FROM NULL THEN
        RETURN NULL;
    END IF;
    BEGIN
        SELECT string_agg(format('%s AS %I', threadline.json_form(c.type, format('($1).%I', c.name)), c.name), ', ' ORDER BY c.number)
        INTO tl_fields
        FROM threadline.columns_of(tl_relation) AS c;
        EXECUTE format('SELECT to_jsonb(tl_image.*) FROM (SELECT %s) AS tl_image', tl_fields) INTO tl_image USING image_of;
    EXCEPTION WHEN OTHERS THEN
        SELECT string_agg(
            format(
                CASE WHEN b.oid < 16384 AND (b.typlen > 0 OR b.oid = 'numeric'::regtype)
                    THEN '(%s, %L, to_jsonb(%s), NULL)'
                    ELSE '(%s, %L, NULL, CASE WHEN %4$s IS DISTINCT FROM NULL THEN concat(%4$s) END)' END,
                c.number, c.name, threadline.json_form(c.type, format('($1).%I', c.name)), format('($1).%I', c.name)),
            ', ')
        INTO tl_fields
        FROM threadline.columns_of(tl_relation) AS c
        JOIN pg_type AS b ON b.oid = threadline.base_type(c.type);
        EXECUTE format(
            $image$SELECT jsonb_object_agg(tl_field.name, CASE
                WHEN tl_field.text IS NULL THEN tl_field.short
                WHEN octet_length(tl_field.text) > 100000000 OR tl_field.total > 200000000 THEN '"[too large to record]"'
                ELSE to_jsonb(tl_field.text) END)
            FROM (
                SELECT name, short, text, sum(octet_length(text)) OVER (ORDER BY number) AS total
                FROM (VALUES %s) AS tl_value (number, name, short, text)
            ) AS tl_field$image$, tl_fields)
        INTO tl_image
        USING image_of;
    END;
    RETURN tl_image;
END
$$;
