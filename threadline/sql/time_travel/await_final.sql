-- As threadline.is_final(), but waits briefly: an instant that is not final only because a short
-- transaction is open becomes final a moment later. Later reads have a later snapshot, which
-- contains everything that was final.
CREATE OR REPLACE FUNCTION threadline.await_final(instant timestamptz) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, threadline, pg_temp AS $$
BEGIN
    FOR tl_wait IN 0..6 LOOP
        IF threadline.is_final(instant) THEN
            RETURN true;
        END IF;
        EXIT WHEN instant > clock_timestamp();
        PERFORM pg_sleep(0.002 * tl_wait * tl_wait);
    END LOOP;
    RETURN false;
END
$$;
