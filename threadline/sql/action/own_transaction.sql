-- threadline.current_transaction() for an action, which is not posted and so not compared
-- with its database transaction later: an AuditTransaction that a session named is its own
-- only if the entry is one of this database transaction.
CREATE FUNCTION threadline.own_transaction() RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_transaction bigint := threadline.current_transaction();
BEGIN
    -- What is not committed is not posted either.
    IF NOT EXISTS (SELECT FROM threadline.journal AS j WHERE j.id = tl_transaction AND j.xact_id = pg_current_xact_id()) THEN
        PERFORM set_config('threadline.transaction', '', true);
        tl_transaction := threadline.current_transaction();
    END IF;
    RETURN tl_transaction;
END
$$;
