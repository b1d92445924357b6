-- Returns whether every change captured up to an instant is visible: the state at an instant is
-- computed from committed changes, and a transaction that wrote before the instant may commit
-- after the query.
--
-- threadline.open_writers() returns the open transactions. On a standby, an instant is final when
-- everything that the primary did by then is replayed and no transaction was writing there.
CREATE OR REPLACE FUNCTION threadline.is_final(instant timestamptz) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_old_snapshot boolean := current_setting('transaction_isolation') IN ('repeatable read', 'serializable');
    tl_later numeric;
    tl_id xid8;
BEGIN
    IF instant > (CASE WHEN tl_old_snapshot THEN now() ELSE clock_timestamp() END) THEN
        RETURN false;
    END IF;
    tl_later := threadline.writers_since(instant);
    IF tl_later <= pg_snapshot_xmin(pg_current_snapshot())::text::numeric THEN
        RETURN true;
    ELSIF pg_is_in_recovery() THEN
        -- The primary's locks are not visible here, but whether any transaction writes is.
        RETURN NOT tl_old_snapshot
           AND pg_snapshot_xmin(pg_current_snapshot()) = pg_snapshot_xmax(pg_current_snapshot())
           AND coalesce(threadline.replayed_until() >= instant, false);
    ELSIF EXISTS (
        SELECT FROM threadline.open_writers(instant)
    ) THEN
        RETURN false;
    ELSIF NOT tl_old_snapshot THEN
        RETURN true;
    END IF;

    -- Changes of a transaction that was running in an old snapshot stay invisible after its
    -- commit. Transactions of other databases count too: they can no longer be distinguished.
    IF EXISTS (
        SELECT
        FROM pg_snapshot_xip(pg_current_snapshot()) AS running (xid)
        WHERE pg_xact_status(running.xid) = 'committed' AND (tl_later <= running.xid::text::numeric) IS NOT TRUE
    ) THEN
        RETURN false;
    END IF;
    tl_id := pg_snapshot_xmax(pg_current_snapshot());
    BEGIN
        WHILE (tl_later <= tl_id::text::numeric) IS NOT TRUE LOOP
            IF pg_xact_status(tl_id) = 'committed' THEN
                RETURN false;
            END IF;
            tl_id := (tl_id::text::numeric + 1)::text::xid8;
        END LOOP;
    EXCEPTION
        -- An id that is not assigned yet.
        WHEN invalid_parameter_value THEN
    END;
    RETURN true;
END
$$;
COMMENT ON FUNCTION threadline.is_final(timestamptz) IS
    'Whether the state at an instant is final: no transaction that wrote audited rows by then is still open';
