-- Ends what threadline.suspend(..., for_session => true) began, and records that.
CREATE FUNCTION threadline.resume(
    actor_type text DEFAULT NULL,
    actor_id   text DEFAULT NULL
) RETURNS SETOF threadline.audit_actions
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, threadline, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    tl_suspension bigint := threadline.suspended_session();
    tl_id bigint;
BEGIN
    IF tl_suspension IS NULL THEN
        RAISE EXCEPTION 'threadline: capture is not suspended in this session; what SELECT threadline.suspend(''why'') suspends ends with its transaction';
    END IF;
    UPDATE threadline.session_suspensions SET resumed_at = clock_timestamp() WHERE action_id = tl_suspension;
    PERFORM set_config('threadline.suspended', '', false);
    -- The transaction may be suspended beside it.
    PERFORM set_config('threadline.suspended', 'yes', true)
    FROM threadline.suspensions AS s
    WHERE s.xact_id = pg_current_xact_id() AND s.occurred_at = now()
    LIMIT 1;
    tl_id := threadline.current_transaction();
    RETURN QUERY
    INSERT INTO threadline.audit_actions (
        transaction_id, name, category, verb, actor_type, actor_id, request_id, correlation_id, job_id, meta)
    SELECT x.id, 'audit.resumed', 'audit', 'resumed',
           coalesce(resume.actor_type, x.actor_type, 'anonymous'),
           CASE WHEN resume.actor_type IS NULL THEN x.actor_id ELSE resume.actor_id END,
           x.request_id, x.correlation_id, x.job_id,
           jsonb_build_object('session_user', session_user, 'suspended_by_action', tl_suspension)
    FROM threadline.audit_transactions AS x
    WHERE x.id = tl_id
    RETURNING *;
END
$$;
REVOKE ALL ON FUNCTION threadline.resume(text, text) FROM PUBLIC;
COMMENT ON FUNCTION threadline.resume(text, text) IS
    'Has what the session changes from now on recorded again, and records that';
