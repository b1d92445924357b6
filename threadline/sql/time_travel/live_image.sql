-- Returns the image of the live row with a record key, redacted as in the audit; NULL if there is
-- none.
CREATE OR REPLACE FUNCTION threadline.live_image(audited_table integer, target regclass, record_key text) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_image jsonb;
BEGIN
    EXECUTE format('SELECT %s FROM %s AS tl_live WHERE %s',
        threadline.live_expression(audited_table, target, 'tl_live'), threadline.own_rows(target),
        threadline.key_condition(audited_table, record_key, 'tl_live'))
    INTO tl_image;
    RETURN tl_image;
EXCEPTION
    WHEN invalid_text_representation OR invalid_datetime_format OR datetime_field_overflow
        OR numeric_value_out_of_range OR invalid_binary_representation OR interval_field_overflow THEN
    -- A key from before the primary key was another: no row has it.
    RETURN NULL;
END
$$;
SELECT threadline.pin_settings('threadline.live_image(integer, regclass, text)');
