-- Returns threadline.current_transaction() for an action. An action is not posted, so its
-- database transaction is not compared later: an AuditTransaction that a session named counts
-- only if its entry is of this database transaction. The journal has no index, so the entry's
-- location is remembered, and the newest blocks are read before the others.
CREATE OR REPLACE FUNCTION threadline.own_transaction() RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_transaction bigint := threadline.current_transaction();
    tl_place tid := substring(current_setting('threadline.transaction_place', true) FROM '^\([0-9]{1,9},[0-9]{1,4}\)$');
BEGIN
    -- Entries that are not committed are not posted either.
    IF EXISTS (SELECT FROM threadline.journal AS j WHERE j.ctid = tl_place AND j.id = tl_transaction AND j.xact_id = pg_current_xact_id()) THEN
        RETURN tl_transaction;
    END IF;
    tl_place := format('(%s,0)', greatest(pg_relation_size('threadline.journal') / current_setting('block_size')::integer - 4, 0));
    SELECT j.ctid INTO tl_place FROM threadline.journal AS j
    WHERE j.ctid >= tl_place AND j.id = tl_transaction AND j.xact_id = pg_current_xact_id();
    IF NOT FOUND THEN
        SELECT j.ctid INTO tl_place FROM threadline.journal AS j WHERE j.id = tl_transaction AND j.xact_id = pg_current_xact_id();
    END IF;
    IF FOUND THEN
        PERFORM set_config('threadline.transaction_place', tl_place::text, true);
    ELSE
        PERFORM set_config('threadline.transaction', '', true);
        tl_transaction := threadline.current_transaction();
    END IF;
    RETURN tl_transaction;
END
$$;
