-- Writes an image into a table: as a new row, or over the row that the
-- condition finds. Columns that the image does not have stay as they are. Runs
-- under the caller's search_path, as whatever it calls does: the application's
-- own triggers fire here.
CREATE FUNCTION threadline.put_row(target regclass, image jsonb, key_condition text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    tl_columns text;
    tl_values text;
BEGIN
    SELECT string_agg(format('%I', a.attname), ', ' ORDER BY a.attnum),
           string_agg(format('tl_image.%I', a.attname), ', ' ORDER BY a.attnum)
    INTO tl_columns, tl_values
    FROM pg_attribute AS a
    WHERE a.attrelid = target AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND image ? a.attname;
    IF tl_columns IS NULL THEN
        RETURN;
    ELSIF key_condition IS NULL THEN
        EXECUTE format(
            'INSERT INTO %1$s (%2$s) OVERRIDING SYSTEM VALUE SELECT %3$s FROM jsonb_populate_record(NULL::%1$s, $1) AS tl_image',
            target, tl_columns, tl_values)
        USING image;
    ELSE
        EXECUTE format(
            'UPDATE %1$s AS tl_row SET (%2$s) = ROW(%3$s) FROM jsonb_populate_record(NULL::%1$s, $1) AS tl_image WHERE %4$s',
            target, tl_columns, tl_values, key_condition)
        USING image;
    END IF;
END
$$;
