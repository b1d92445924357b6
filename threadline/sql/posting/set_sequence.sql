-- Sets the sequence of ids right where it is behind the ledger, after a restore of data
-- alone or a switch-over by logical replication. Says whether it was.
CREATE FUNCTION threadline.set_sequence() RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_highest bigint := threadline.highest_id();
BEGIN
    IF (SELECT last_value FROM threadline.entry_ids) >= tl_highest THEN
        RETURN false;
    END IF;
    PERFORM setval('threadline.entry_ids', tl_highest + 1000);
    RETURN true;
END
$$;
