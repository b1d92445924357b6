-- Returns the action that suspended capture in this session; NULL if capture is not suspended.
CREATE OR REPLACE FUNCTION threadline.suspended_session() RETURNS bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT s.action_id
    FROM threadline.session_suspensions AS s
    WHERE s.resumed_at IS NULL AND s.pid = pg_backend_pid()
      AND s.secret_hash = sha256(convert_to(current_setting('threadline.suspended', true), 'UTF8'));
END;
