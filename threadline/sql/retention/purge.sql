-- Removes changes and actions older than the retention of their policies, oldest first, and
-- returns their number; 0 if there is nothing to do, or another session is purging. Call it until
-- it returns 0:
--
--   SELECT threadline.purge();
--
-- Each call is one transaction of about 10,000 changes and blocks no writer. An interrupted run
-- continues from its last batch. What is under a hold stays.
CREATE OR REPLACE FUNCTION threadline.purge(at_most integer DEFAULT 10000) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, threadline, pg_temp
SET jit = off
AS $$
DECLARE
    tl_run threadline.purges;
    tl_purged bigint := 0;
BEGIN
    IF pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on' THEN
        RETURN 0;
    END IF;
    PERFORM FROM threadline.retention FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        IF EXISTS (SELECT FROM threadline.retention) THEN
            RETURN 0;
        END IF;
        -- A restore left it out.
        INSERT INTO threadline.retention DEFAULT VALUES;
    END IF;
    WHILE tl_purged = 0 LOOP
        SELECT * INTO tl_run FROM threadline.purges AS p WHERE p.ended_at IS NULL ORDER BY p.id LIMIT 1;
        IF NOT FOUND THEN
            tl_run := threadline.begin_purge();
            EXIT WHEN tl_run.id IS NULL;
        END IF;
        tl_purged := threadline.purge_batch(tl_run, greatest(at_most, 1));
    END LOOP;
    RETURN tl_purged;
END
$$;
REVOKE ALL ON FUNCTION threadline.purge(integer) FROM PUBLIC;
COMMENT ON FUNCTION threadline.purge(integer) IS
    'Removes changes and actions older than the retention of their policy, one batch a call; returns their number';
