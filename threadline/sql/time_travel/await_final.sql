-- The same, with a little patience: what is not final only because a short
-- transaction is open, is final a moment later. What is read afterwards has a
-- later snapshot, in which everything that was final is there.
CREATE FUNCTION threadline.await_final(instant timestamptz) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
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
