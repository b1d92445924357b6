-- Has what the running transaction changes from now on not recorded, and records
-- that, with the reason. Ends with the transaction; a rolled-back savepoint takes
-- it back. Who acts is the context's actor, if nobody else is named. For those
-- alone whom somebody granted EXECUTE.
--
--   BEGIN; SELECT threadline.suspend('reload of the price list, ticket 4711'); ... COMMIT;
--
-- for_session: the same for whatever the session does, until threadline.resume() or
-- its end, and not from a pool, where the session is somebody else's next.
CREATE FUNCTION threadline.suspend(
    reason      text,
    actor_type  text    DEFAULT NULL,
    actor_id    text    DEFAULT NULL,
    for_session boolean DEFAULT false
) RETURNS SETOF threadline.audit_actions
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_secret text := gen_random_uuid();
    tl_action threadline.audit_actions;
BEGIN
    IF coalesce(btrim(suspend.reason), '') = '' THEN
        RAISE EXCEPTION 'threadline: to suspend capture takes a reason: SELECT threadline.suspend(''why'')';
    END IF;
    tl_action := threadline.own_action('audit.suspended',
        jsonb_build_object('for_session', CASE WHEN suspend.for_session THEN true END),
        suspend.reason, suspend.actor_type, suspend.actor_id);
    IF suspend.for_session THEN
        INSERT INTO threadline.session_suspensions (action_id, pid, secret_hash)
        VALUES (tl_action.id, pg_backend_pid(), sha256(convert_to(tl_secret, 'UTF8')));
        PERFORM set_config('threadline.suspended', tl_secret, false);
    ELSE
        INSERT INTO threadline.suspensions (xact_id, occurred_at, action_id)
        VALUES (pg_current_xact_id(), now(), tl_action.id);
        PERFORM set_config('threadline.suspended', 'yes', true)
        WHERE threadline.suspended_session() IS NULL;
    END IF;
    RETURN NEXT tl_action;
END
$$;
REVOKE ALL ON FUNCTION threadline.suspend(text, text, text, boolean) FROM PUBLIC;
COMMENT ON FUNCTION threadline.suspend(text, text, text, boolean) IS
    'Has what the running transaction, or the session, changes from now on not recorded, and records that';

-- Ends what threadline.suspend(..., for_session => true) began, and records that.
CREATE FUNCTION threadline.resume(
    actor_type text DEFAULT NULL,
    actor_id   text DEFAULT NULL
) RETURNS SETOF threadline.audit_actions
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_suspension bigint := threadline.suspended_session();
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
    RETURN NEXT threadline.own_action('audit.resumed', jsonb_build_object('suspended_by_action', tl_suspension),
        actor_type => resume.actor_type, actor_id => resume.actor_id);
END
$$;
REVOKE ALL ON FUNCTION threadline.resume(text, text) FROM PUBLIC;
COMMENT ON FUNCTION threadline.resume(text, text) IS
    'Has what the session changes from now on recorded again, and records that';

INSERT INTO threadline.schema_patches (version) VALUES (9);
