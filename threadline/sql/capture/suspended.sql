-- Returns whether capture is suspended in the running database transaction or its session. The
-- setting threadline.suspended only says that a suspension has to be looked up.
CREATE OR REPLACE FUNCTION threadline.suspended() RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT coalesce(current_setting('threadline.suspended', true), '') <> '' AND (
        threadline.suspended_session() IS NOT NULL
        OR EXISTS (
            SELECT FROM threadline.suspensions AS s
            WHERE s.xact_id = pg_current_xact_id() AND s.occurred_at = now()));
END;
