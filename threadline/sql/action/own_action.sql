-- Records an operation on the audit itself as an action of the running transaction. The actor is
-- the context's unless another is named. For functions that run as the owner of the audit.
CREATE OR REPLACE FUNCTION threadline.own_action(
    name       text,
    meta       jsonb,
    reason     text DEFAULT NULL,
    actor_type text DEFAULT NULL,
    actor_id   text DEFAULT NULL
) RETURNS threadline.audit_actions
LANGUAGE plpgsql SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_transaction bigint := threadline.own_transaction();
    tl_action threadline.audit_actions;
BEGIN
    LOOP
        INSERT INTO threadline.audit_actions (
            transaction_id, name, category, verb, actor_type, actor_id, reason, request_id, correlation_id, job_id, meta, source, remote_ip)
        SELECT tl_transaction, own_action.name, split_part(own_action.name, '.', 1), split_part(own_action.name, '.', 2),
               coalesce(own_action.actor_type, c.actor_type, 'anonymous'),
               CASE WHEN own_action.actor_type IS NULL THEN c.actor_id ELSE own_action.actor_id END,
               own_action.reason, c.request_id, c.correlation_id, c.job_id,
               -- Of an untrusted context, the transaction keeps only the beginning.
               CASE WHEN c.actor_origin NOT IN ('untrusted', 'unreadable') AND jsonb_typeof(c.meta) = 'object' THEN c.meta ELSE '{}' END
                   || jsonb_build_object('session_user', session_user) || jsonb_strip_nulls(own_action.meta),
               c.source, c.remote_ip
        FROM threadline.read_context(coalesce(current_setting('threadline.context', true), ''), now()) AS c
        ON CONFLICT (id) DO NOTHING
        RETURNING * INTO tl_action;
        EXIT WHEN FOUND;
        -- As in threadline.record_action().
        PERFORM threadline.set_sequences();
    END LOOP;
    RETURN tl_action;
END
$$;
