-- Any row of a relation as JSON, without ever failing: where a value has no
-- form in jsonb (\u0000 inside json), it is kept as its text, and above 100 MB,
-- where jsonb ends, the fact that it was there.
CREATE FUNCTION threadline.row_image(image_of record, target regclass) RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
SET timezone = 'UTC'
SET datestyle = 'ISO, YMD'
SET intervalstyle = 'postgres'
SET bytea_output = 'hex'
SET extra_float_digits = 1
AS $$
DECLARE
    tl_expressions text;
    tl_image jsonb;
BEGIN
    RETURN to_jsonb(image_of);
EXCEPTION WHEN OTHERS THEN
    SELECT string_agg(
        format(
            CASE WHEN bitwise AND type NOT IN ('text'::regtype, 'varchar'::regtype, 'bytea'::regtype)
                THEN 'tl_row.%1$I AS %1$I'
                ELSE 'CASE WHEN octet_length(tl_row.%1$I::text) > 100000000 THEN ''[too large to record]'' ELSE tl_row.%1$I::text END AS %1$I'
            END, name),
        ', ' ORDER BY number)
    INTO tl_expressions
    FROM threadline.columns_of(target);
    EXECUTE format(
        'SELECT to_jsonb(tl_image) FROM (SELECT %s FROM (SELECT ($1::text::%s).*) AS tl_row) AS tl_image',
        tl_expressions, target)
    INTO tl_image
    USING image_of;
    RETURN tl_image;
END
$$;
