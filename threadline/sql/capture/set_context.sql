-- Sets the actor and the context of what the running transaction writes from now on:
--
--   BEGIN; SELECT threadline.set_context('{"actor": {"type": "user", "id": "42"}}'); ... COMMIT;
--
-- The context carries the time at which the transaction began. A context that a session left
-- behind with SET carries another time, so it gives no actor to the next client of a pooled
-- connection.
CREATE OR REPLACE FUNCTION threadline.set_context(context jsonb) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
    SELECT pg_catalog.set_config('threadline.context',
        pg_catalog.concat(EXTRACT(epoch FROM pg_catalog.now()), ' ', context), true);
END;
COMMENT ON FUNCTION threadline.set_context(jsonb) IS
    'Sets the actor and context of what the running transaction changes from now on: {"actor": {"type", "id"}, "request_id", "correlation_id", "job_id", "source", "remote_ip", "metadata"}';
