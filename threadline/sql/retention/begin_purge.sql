-- Begins the next run of threadline.purge() and records it as an action; NULL if there is none. It
-- is for the table with changes older than its retention that was purged least recently. From now
-- on queries about instants before the horizon fail, so that no result depends on the progress of
-- the run.
CREATE OR REPLACE FUNCTION threadline.begin_purge(at_most bigint) RETURNS threadline.purges
LANGUAGE plpgsql SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off AS $$
DECLARE
    tl_next threadline.kept_for;
    tl_run threadline.purges;
    tl_action threadline.audit_actions;
    tl_seen record;
    tl_after_transaction bigint;
    tl_after_id bigint;
    tl_start record;
BEGIN
    FOR tl_next IN
        SELECT k.* FROM threadline.kept_for AS k
        -- The table of the last run may have old changes again.
        ORDER BY (SELECT max(p.id) FROM threadline.purges AS p WHERE p.table_id IS NOT DISTINCT FROM k.table_id) NULLS FIRST, k.table_id
    LOOP
        SELECT s.* INTO tl_start FROM threadline.purge_start(tl_next.table_id) AS s;
        tl_after_transaction := tl_start.transaction_id;
        tl_after_id := tl_start.id;
        -- Held changes may come first.
        LOOP
            SELECT bool_or(p.goes) AS any_goes, (array_agg(p.transaction_id ORDER BY p.turn DESC))[1] AS transaction_id, (array_agg(p.id ORDER BY p.turn DESC))[1] AS id
            INTO tl_seen
            FROM threadline.purgeable(tl_next.table_id, tl_next.horizon, tl_after_transaction, tl_after_id, 100)
                WITH ORDINALITY AS p (transaction_id, id, is_old, goes, bytes, turn);
            EXIT WHEN tl_seen.any_goes IS NOT false;
            tl_after_transaction := tl_seen.transaction_id;
            tl_after_id := tl_seen.id;
        END LOOP;
        CONTINUE WHEN tl_seen.any_goes IS NULL;
        tl_action := threadline.own_action('audit.purged', jsonb_build_object(
            'table_id', tl_next.table_id, 'keep', tl_next.keep, 'kept_since', tl_next.horizon));
        UPDATE threadline.audited_tables AS t
        SET kept_since = greatest(t.kept_since, tl_next.horizon)
        WHERE t.id = tl_next.table_id;
        INSERT INTO threadline.purges (
            table_id, kept_since, action_id, purged_by, images, reached_transaction, reached_id, sweeps, swept_transaction, swept_id)
        VALUES (tl_next.table_id, tl_next.horizon, tl_action.id, session_user,
                CASE WHEN threadline.keeps_images_ahead(tl_next.table_id, tl_next.horizon, at_most, tl_start.transaction_id, tl_start.id)
                     THEN 'ahead' ELSE 'by batch' END,
                tl_start.transaction_id, tl_start.id,
                -- In this order: what an open transaction wrote is either seen as such, or below.
                threadline.is_final(tl_next.horizon)
                    AND NOT EXISTS (SELECT FROM threadline.journal AS j WHERE j.captured_at < tl_next.horizon)
                    AND NOT EXISTS (SELECT FROM threadline.unposted AS u WHERE u.captured_at < tl_next.horizon),
                tl_start.transaction_id, tl_start.id)
        RETURNING * INTO tl_run;
        RETURN tl_run;
    END LOOP;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION threadline.begin_purge(bigint) FROM PUBLIC;
