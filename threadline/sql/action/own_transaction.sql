-- Returns threadline.current_transaction() for an action. An action is not posted, so its
-- database transaction is not compared later: an AuditTransaction that a session named counts
-- only if its entry is of this database transaction.
--
-- The journal has no index, so the entry's location is remembered. An entry of a trigger has no
-- known location, and is searched from the end of the journal: where much waits, no space is
-- free, and what was written last is at the end.
CREATE OR REPLACE FUNCTION threadline.own_transaction() RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, threadline, pg_temp
SET standard_conforming_strings = on AS $$
DECLARE
    tl_transaction bigint := threadline.current_transaction();
    tl_place tid := substring(current_setting('threadline.transaction_place', true) FROM '^\([0-9]{1,9},[0-9]{1,4}\)$');
    tl_blocks bigint := 4;
    tl_before bigint;
    tl_from bigint;
BEGIN
    -- Entries that are not committed are not posted either.
    IF EXISTS (SELECT FROM threadline.journal AS j WHERE j.ctid = tl_place AND j.id = tl_transaction AND j.xact_id = pg_current_xact_id()) THEN
        RETURN tl_transaction;
    END IF;
    tl_from := pg_relation_size('threadline.journal') / current_setting('block_size')::integer;
    WHILE tl_from > 0 LOOP
        tl_before := tl_from;
        tl_from := greatest(tl_before - tl_blocks, 0);
        SELECT j.ctid INTO tl_place FROM threadline.journal AS j
        WHERE j.ctid >= format('(%s,0)', tl_from)::tid AND j.ctid < format('(%s,0)', tl_before)::tid
          AND j.id = tl_transaction AND j.xact_id = pg_current_xact_id();
        IF FOUND THEN
            PERFORM set_config('threadline.transaction_place', tl_place::text, true);
            RETURN tl_transaction;
        END IF;
        tl_blocks := tl_blocks * 2;
    END LOOP;
    PERFORM set_config('threadline.transaction', '', true);
    RETURN threadline.current_transaction();
END
$$;
