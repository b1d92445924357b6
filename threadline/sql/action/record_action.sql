-- Records a semantic event. With `linked` it belongs to the AuditTransaction of the running
-- database transaction and opens one if no change has; otherwise it has no transaction. Runs as
-- the owner, so that an application needs no right on the tables: GRANT USAGE ON SCHEMA
-- threadline is enough.
CREATE OR REPLACE FUNCTION threadline.record_action(
    name           text,
    actor_type     text,
    actor_id       text    DEFAULT NULL,
    category       text    DEFAULT NULL,
    verb           text    DEFAULT NULL,
    status         text    DEFAULT 'ok',
    reason         text    DEFAULT NULL,
    comment        text    DEFAULT NULL,
    request_id     text    DEFAULT NULL,
    correlation_id text    DEFAULT NULL,
    job_id         text    DEFAULT NULL,
    meta           jsonb   DEFAULT NULL,
    linked         boolean DEFAULT true,
    source         text    DEFAULT NULL,
    remote_ip      inet    DEFAULT NULL
) RETURNS SETOF threadline.audit_actions
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, threadline, pg_temp
SET standard_conforming_strings = on AS $$
#variable_conflict use_column
DECLARE
    tl_recorder text := CASE record_action.name
        WHEN 'audit.suspended' THEN 'suspend'
        WHEN 'audit.resumed' THEN 'resume'
        WHEN 'audit.unmasked' THEN 'unmask'
        WHEN 'audit.stopped' THEN 'unaudit'
        WHEN 'audit.restarted' THEN 'audit'
        WHEN 'audit.policy_changed' THEN 'audit'
        WHEN 'audit.condition_changed' THEN 'audit'
        WHEN 'audit.continued' THEN 'audit'
        WHEN 'audit.partition_left' THEN 'refresh'
        WHEN 'audit.purged' THEN 'purge'
        WHEN 'audit.held' THEN 'hold'
        WHEN 'audit.released' THEN 'release'
        WHEN 'audit.retention_changed' THEN 'set_retention'
        WHEN 'audit.triggers_changed' THEN 'watch'
        WHEN 'audit.table_rewritten' THEN 'watch' END;
BEGIN
    IF record_action.name IS NULL OR record_action.name = '' THEN
        RAISE EXCEPTION 'threadline: an action needs a name, such as ''member.role_changed''';
    ELSIF tl_recorder IS NOT NULL THEN
        RAISE EXCEPTION 'threadline: the action ''%'' is recorded by threadline.%() alone', record_action.name, tl_recorder;
    ELSIF threadline.is_blank(record_action.actor_type)
       OR (record_action.actor_type <> 'anonymous' AND threadline.is_blank(record_action.actor_id)) THEN
        RAISE EXCEPTION 'threadline: an action needs an actor with a type and an id; use the type ''anonymous'' for somebody unknown';
    END IF;
    LOOP
        RETURN QUERY
        INSERT INTO threadline.audit_actions (
            transaction_id, name, category, verb, actor_type, actor_id, status, reason, comment,
            request_id, correlation_id, job_id, meta, source, remote_ip)
        VALUES (
            CASE WHEN linked THEN threadline.own_transaction() END,
            record_action.name,
            coalesce(record_action.category, substring(record_action.name FROM '^(.*)\.[^.]*$')),
            coalesce(record_action.verb, substring(record_action.name FROM '[^.]*$')),
            record_action.actor_type, record_action.actor_id,
            coalesce(record_action.status, 'ok'), record_action.reason, record_action.comment,
            record_action.request_id, record_action.correlation_id, record_action.job_id, record_action.meta,
            record_action.source, record_action.remote_ip)
        ON CONFLICT (id) DO NOTHING
        RETURNING *;
        EXIT WHEN FOUND;
        -- After a switch-over the sequence can be behind; no action fails because of that.
        PERFORM threadline.set_sequences();
    END LOOP;
END
$$;
