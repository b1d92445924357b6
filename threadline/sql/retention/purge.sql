-- Removes changes and actions older than the retention of their policies, oldest first, and
-- returns their number; NULL if there is nothing to do, or another session is purging. Call it until
-- it returns NULL:
--
--   SELECT threadline.purge();
--
-- Each call is one transaction of about 10,000 changes and blocks no writer. An interrupted run
-- continues from its last batch. What is under a hold stays. A call that only keeps the images of
-- records, for the next thousand batches, returns 0; for ten million changes it takes minutes.
CREATE OR REPLACE FUNCTION threadline.purge(at_most integer DEFAULT 10000) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, threadline, pg_temp
SET jit = off AS $$
DECLARE
    tl_run threadline.purges;
    tl_purged bigint := 0;
BEGIN
    IF pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on' THEN
        RETURN NULL;
    END IF;
    PERFORM FROM threadline.retention FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        IF EXISTS (SELECT FROM threadline.retention) THEN
            RETURN NULL;
        END IF;
        -- A restore left it out.
        INSERT INTO threadline.retention DEFAULT VALUES;
    END IF;
    -- Noted, because a move itself is removed if a hold also names an actor, and another moved it.
    UPDATE threadline.legal_holds AS h
    SET record_keys = h.record_keys || m.record_keys
    FROM threadline.held_moves() AS m
    WHERE h.id = m.hold;
    -- Kept longer since the run began, or for ever.
    UPDATE threadline.purges AS p
    SET ended_at = clock_timestamp()
    WHERE p.ended_at IS NULL AND NOT EXISTS (
        SELECT FROM threadline.kept_for AS k
        WHERE k.table_id IS NOT DISTINCT FROM p.table_id AND k.horizon >= p.kept_since);
    WHILE tl_purged = 0 LOOP
        SELECT * INTO tl_run FROM threadline.purges AS p WHERE p.ended_at IS NULL ORDER BY p.id LIMIT 1;
        IF NOT FOUND THEN
            tl_run := threadline.begin_purge(greatest(at_most, 1));
            EXIT WHEN tl_run.id IS NULL;
        END IF;
        IF tl_run.images = 'ahead' AND (tl_run.reached_transaction, tl_run.reached_id) >= (tl_run.kept_transaction, tl_run.kept_id) THEN
            PERFORM threadline.keep_images_ahead(tl_run, greatest(at_most, least(1000::bigint * at_most, 10000000), 1));
            RETURN 0;
        END IF;
        tl_purged := threadline.purge_batch(tl_run, greatest(at_most, 1));
    END LOOP;
    RETURN nullif(tl_purged, 0);
END
$$;
REVOKE ALL ON FUNCTION threadline.purge(integer) FROM PUBLIC;
COMMENT ON FUNCTION threadline.purge(integer) IS
    'Removes changes and actions older than the retention of their policy, one batch a call; returns their number, and NULL at the end';
