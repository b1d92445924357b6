-- Records, with the reason, that values recorded before their column was redacted are read. The
-- session then sees them in each transaction that has the action's id in the setting
-- threadline.unmasked, for an hour at most. The actor is the context's unless another is named.
-- Only roles that were granted EXECUTE may call it.
CREATE OR REPLACE FUNCTION threadline.unmask(
    reason     text,
    actor_type text DEFAULT NULL,
    actor_id   text DEFAULT NULL
) RETURNS SETOF threadline.audit_actions
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, threadline, pg_temp AS $$
BEGIN
    IF coalesce(btrim(unmask.reason), '') = '' THEN
        RAISE EXCEPTION 'threadline: reading values that are masked now needs a reason: SELECT threadline.unmask(''why'')';
    END IF;
    RETURN NEXT threadline.own_action('audit.unmasked', jsonb_build_object('pid', pg_backend_pid()),
        unmask.reason, unmask.actor_type, unmask.actor_id);
END
$$;
REVOKE ALL ON FUNCTION threadline.unmask(text, text, text) FROM PUBLIC;
COMMENT ON FUNCTION threadline.unmask(text, text, text) IS
    'Records that values hidden by the present policy are read, and lets the session read them';
