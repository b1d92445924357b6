-- Sets the sequence of ids right where it is behind the ledger, after a restore of data
-- alone or a switch-over by logical replication, and gives the entries that got such ids
-- new ones in their order. Says whether there were any.
CREATE FUNCTION threadline.renumber_entries() RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_highest bigint := threadline.highest_id();
    tl_found boolean;
BEGIN
    IF (SELECT last_value FROM threadline.entry_ids) <= tl_highest THEN
        PERFORM setval('threadline.entry_ids', tl_highest + 1000);
    END IF;
    WITH renamed AS MATERIALIZED (
        SELECT e.id, nextval('threadline.entry_ids') AS new_id
        FROM (SELECT j.id FROM threadline.journal AS j WHERE j.id <= tl_highest ORDER BY j.id) AS e
    )
    UPDATE threadline.journal AS j
    SET id = renamed.new_id,
        transaction_id = coalesce((SELECT r.new_id FROM renamed AS r WHERE r.id = j.transaction_id), j.transaction_id)
    FROM renamed
    WHERE renamed.id = j.id AND EXISTS (
        SELECT FROM threadline.ledger_transactions AS x WHERE x.id = j.transaction_id AND x.xact_id <> j.xact_id
        UNION ALL
        SELECT FROM threadline.ledger_changes AS c WHERE c.transaction_id = j.transaction_id AND c.id = j.id);
    tl_found := FOUND;
    RETURN tl_found;
END
$$;
REVOKE ALL ON FUNCTION threadline.renumber_entries() FROM PUBLIC;
