-- Has what the running transaction changes from now on not recorded, and records
-- that, with the reason. Ends with the transaction; a rolled-back savepoint takes
-- it back. Who acts is the context's actor, if nobody else is named. For those
-- alone whom somebody granted EXECUTE.
--
--   BEGIN; SELECT threadline.suspend('reload of the price list, ticket 4711'); ... COMMIT;
CREATE FUNCTION threadline.suspend(
    reason     text,
    actor_type text DEFAULT NULL,
    actor_id   text DEFAULT NULL
) RETURNS SETOF threadline.audit_actions
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, threadline, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    tl_id bigint;
    tl_transaction threadline.audit_transactions;
    tl_action threadline.audit_actions;
BEGIN
    IF coalesce(btrim(suspend.reason), '') = '' THEN
        RAISE EXCEPTION 'threadline: to suspend capture takes a reason: SELECT threadline.suspend(''why'')';
    END IF;
    tl_id := threadline.current_transaction();
    SELECT * INTO STRICT tl_transaction FROM threadline.audit_transactions AS x WHERE x.id = tl_id;
    INSERT INTO threadline.audit_actions (
        transaction_id, name, category, verb, actor_type, actor_id, reason, request_id, correlation_id, job_id, meta)
    VALUES (
        tl_transaction.id, 'audit.suspended', 'audit', 'suspended',
        coalesce(suspend.actor_type, tl_transaction.actor_type, 'anonymous'),
        CASE WHEN suspend.actor_type IS NULL THEN tl_transaction.actor_id ELSE suspend.actor_id END,
        suspend.reason, tl_transaction.request_id, tl_transaction.correlation_id, tl_transaction.job_id,
        jsonb_build_object('session_user', session_user))
    RETURNING * INTO tl_action;
    INSERT INTO threadline.suspensions (xact_id, occurred_at, action_id)
    VALUES (tl_transaction.xact_id, tl_transaction.occurred_at, tl_action.id);
    PERFORM set_config('threadline.suspended', 'yes', true);
    RETURN NEXT tl_action;
END
$$;
REVOKE ALL ON FUNCTION threadline.suspend(text, text, text) FROM PUBLIC;
COMMENT ON FUNCTION threadline.suspend(text, text, text) IS
    'Has what the running transaction changes from now on not recorded, and records that';

INSERT INTO threadline.schema_patches (version) VALUES (9);
