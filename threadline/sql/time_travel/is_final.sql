-- Whether no change captured up to an instant can still come to be seen: what
-- was the state then is asked of committed changes, and a transaction that
-- wrote before the instant may commit after the question.
--
-- Who is open is told by threadline.open_writers(). On a standby it is final when all
-- that the primary did by then is replayed, and no transaction was writing there.
CREATE FUNCTION threadline.is_final(instant timestamptz) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_old_snapshot boolean := current_setting('transaction_isolation') IN ('repeatable read', 'serializable');
    tl_later numeric;
    tl_id xid8;
BEGIN
    IF instant > (CASE WHEN tl_old_snapshot THEN now() ELSE clock_timestamp() END) THEN
        RETURN false;
    END IF;
    SELECT min(xact_id::text::numeric) INTO tl_later
    FROM (
        SELECT xact_id
        FROM threadline.audit_transactions
        WHERE opened_at > instant AND occurred_at > instant
        ORDER BY opened_at
        LIMIT 10
    ) AS opened;
    IF tl_later <= pg_snapshot_xmin(pg_current_snapshot())::text::numeric THEN
        RETURN true;
    ELSIF pg_is_in_recovery() THEN
        -- The primary's locks are not to be seen here, but whether anybody writes.
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

    -- What an old snapshot holds to be running, and has committed since, stays
    -- unseen; also if it was in another database, which nobody can tell any more.
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
        -- An id that nobody has yet.
        WHEN invalid_parameter_value THEN
    END;
    RETURN true;
END
$$;
COMMENT ON FUNCTION threadline.is_final(timestamptz) IS
    'Whether what was the state at an instant is final: no transaction that wrote audited rows by then is still open';
