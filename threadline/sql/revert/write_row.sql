-- Writes an image into a table: as a new row, or over the row that matches the condition. Columns
-- that the image lacks stay unchanged. Returns whether the row was written: a trigger may have
-- prevented it. Runs under the caller's search_path, like the application's own triggers, which
-- fire here.
CREATE OR REPLACE FUNCTION threadline.write_row(target regclass, image jsonb, key_condition text DEFAULT NULL) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    tl_columns text;
    tl_values text;
    tl_definitions text;
    tl_count bigint;
BEGIN
    SELECT string_agg(format('%I', a.attname), ', ' ORDER BY a.attnum),
           string_agg(
               format(
                   CASE WHEN a.attnotnull AND base.type IN ('pg_catalog.json'::regtype, 'pg_catalog.jsonb'::regtype)
                       -- In an image, the null of JSON and that of SQL are the same.
                       THEN format('coalesce(%s, ''null'')', form.value) ELSE form.value END, a.attname, a.attname),
               ', ' ORDER BY a.attnum),
           string_agg(format('%I %s', a.attname,
               -- An amount is recorded as a number, and its text depends on the locale.
               CASE WHEN base.type = 'pg_catalog.money'::regtype THEN 'pg_catalog.numeric' ELSE format_type(a.atttypid, a.atttypmod) END), ', ' ORDER BY a.attnum)
    INTO tl_columns, tl_values, tl_definitions
    FROM pg_attribute AS a
    CROSS JOIN LATERAL threadline.base_type(a.atttypid) AS base (type)
    CROSS JOIN LATERAL (
        -- As threadline.json_image() has kept it: the text.
        SELECT CASE WHEN base.type = 'pg_catalog.json'::regtype
            THEN 'CASE WHEN jsonb_typeof($1 -> %2$L) = ''string'' THEN ($1 ->> %2$L)::json ELSE tl_image.%1$I END'
            ELSE 'tl_image.%1$I' END AS value
    ) AS form
    WHERE a.attrelid = target AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND image ? a.attname;
    IF tl_columns IS NULL THEN
        RETURN key_condition IS NOT NULL;
    ELSIF key_condition IS NULL THEN
        EXECUTE format(
            'INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM jsonb_to_record($1) AS tl_image (%s)',
            target, tl_columns, tl_values, tl_definitions)
        USING image;
    ELSE
        EXECUTE format(
            'UPDATE %s AS tl_row SET (%s) = ROW(%s) FROM jsonb_to_record($1) AS tl_image (%s) WHERE %s',
            threadline.own_rows(target), tl_columns, tl_values, tl_definitions, key_condition)
        USING image;
    END IF;
    GET DIAGNOSTICS tl_count = ROW_COUNT;
    RETURN tl_count > 0;
END
$$;
