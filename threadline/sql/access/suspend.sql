-- Suspends capture for the rest of the running transaction and records the suspension with its
-- reason. It ends with the transaction; rolling back to an earlier savepoint ends it too. The
-- actor is the context's unless another is named. Only roles that were granted EXECUTE may call
-- it.
--
--   BEGIN; SELECT threadline.suspend('reload of the price list, ticket 4711'); ... COMMIT;
--
-- For earlier instants, rows_as_of() fails for the tables written to, and record_as_of() returns only
-- rows that are on record as a whole.
--
-- for_session: suspends capture for the session, until threadline.resume() or its end. Do not use
-- it on a pooled connection, where another client gets the session next.
CREATE OR REPLACE FUNCTION threadline.suspend(
    reason      text,
    actor_type  text    DEFAULT NULL,
    actor_id    text    DEFAULT NULL,
    for_session boolean DEFAULT false
) RETURNS SETOF threadline.audit_actions
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_secret text := gen_random_uuid();
    tl_action threadline.audit_actions;
BEGIN
    IF coalesce(btrim(suspend.reason), '') = '' THEN
        RAISE EXCEPTION 'threadline: suspending capture needs a reason: SELECT threadline.suspend(''why'')';
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
    'Suspends capture for the rest of the running transaction, or for the session, and records the suspension';
