-- Gives all visible entries new ids if some have ids that are in the ledger already, or that two
-- entries have: the sequence of ids began again. Their order is then that of their capture. For
-- a caller that holds the lock of posting and has set the sequence. Returns whether there were
-- any.
CREATE OR REPLACE FUNCTION threadline.renumber_entries() RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_highest bigint := threadline.highest_id();
BEGIN
    IF NOT EXISTS (SELECT FROM threadline.journal AS j WHERE j.id <= tl_highest)
       AND NOT EXISTS (SELECT FROM threadline.journal AS j GROUP BY j.id HAVING count(*) > 1)
    THEN
        RETURN false;
    END IF;
    WITH renamed AS MATERIALIZED (
        SELECT e.id, e.xact_id, e.occurred_at, e.transaction_id, nextval('threadline.entry_ids') AS new_id
        FROM (
            SELECT j.id, j.xact_id, j.occurred_at, j.transaction_id FROM threadline.journal AS j
            ORDER BY j.captured_at, j.id
        ) AS e
    )
    UPDATE threadline.journal AS j
    SET id = own.new_id,
        transaction_id = coalesce(opener.new_id, j.transaction_id)
    FROM renamed AS own
    LEFT JOIN renamed AS opener ON opener.id = own.transaction_id AND opener.xact_id = own.xact_id AND opener.occurred_at = own.occurred_at
    -- After a restore, transaction ids are assigned a second time.
    WHERE own.id = j.id AND own.xact_id = j.xact_id AND own.occurred_at = j.occurred_at;
    RETURN true;
END
$$;
REVOKE ALL ON FUNCTION threadline.renumber_entries() FROM PUBLIC;
