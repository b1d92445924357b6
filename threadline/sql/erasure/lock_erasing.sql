-- Waits for a running purge or erasure, one batch at most.
CREATE OR REPLACE FUNCTION threadline.lock_erasing() RETURNS void
LANGUAGE sql SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    -- A restore may have left it out.
    INSERT INTO threadline.retention DEFAULT VALUES ON CONFLICT DO NOTHING;
    SELECT FROM threadline.retention FOR UPDATE;
END;
REVOKE ALL ON FUNCTION threadline.lock_erasing() FROM PUBLIC;
