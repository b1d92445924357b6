-- Returns the value of a column in the live row with a record key, as in threadline.live_image().
-- `query` is that of threadline.live_value_query(), which is the same for each record.
CREATE OR REPLACE FUNCTION threadline.live_value(
    audited_table integer, target regclass, record_key text, column_name text, query text
) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_value jsonb;
BEGIN
    IF query IS NULL OR threadline.is_digest(record_key) THEN
        RETURN threadline.live_image(audited_table, target, record_key) -> column_name;
    END IF;
    EXECUTE query INTO tl_value USING record_key;
    RETURN tl_value;
END
$$;
SELECT threadline.pin_settings('threadline.live_value(integer, regclass, text, text, text)');
