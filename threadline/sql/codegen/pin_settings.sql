-- Pins threadline.text_settings() in a function whose result depends on them all. Capture functions
-- have only those that their table needs: see threadline.pinned_settings().
CREATE OR REPLACE FUNCTION threadline.pin_settings(pinned regprocedure) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, threadline, pg_temp AS $$
BEGIN
    EXECUTE (
        SELECT format('ALTER FUNCTION %s ', pinned) || string_agg(format('SET %s = %L', s.name, s.value), ' ')
        FROM threadline.text_settings() AS s);
END
$$;
