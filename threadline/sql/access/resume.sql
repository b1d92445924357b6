-- Ends the suspension that threadline.suspend(..., for_session => true) began, and records that
-- as an action.
CREATE OR REPLACE FUNCTION threadline.resume(
    actor_type text DEFAULT NULL,
    actor_id   text DEFAULT NULL
) RETURNS SETOF threadline.audit_actions
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_suspension bigint := threadline.suspended_session();
BEGIN
    IF tl_suspension IS NULL THEN
        RAISE EXCEPTION 'threadline: capture is not suspended in this session; what SELECT threadline.suspend(''why'') suspends ends with its transaction';
    END IF;
    UPDATE threadline.session_suspensions SET resumed_at = clock_timestamp() WHERE action_id = tl_suspension;
    PERFORM set_config('threadline.suspended', '', false);
    -- The transaction may be suspended independently.
    PERFORM set_config('threadline.suspended', 'yes', true)
    FROM threadline.suspensions AS s
    WHERE s.xact_id = pg_current_xact_id() AND s.occurred_at = now()
    LIMIT 1;
    RETURN NEXT threadline.own_action('audit.resumed', jsonb_build_object('suspended_by_action', tl_suspension),
        actor_type => resume.actor_type, actor_id => resume.actor_id);
END
$$;
REVOKE ALL ON FUNCTION threadline.resume(text, text) FROM PUBLIC;
COMMENT ON FUNCTION threadline.resume(text, text) IS
    'Resumes capture in the session, and records that';
