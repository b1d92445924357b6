CREATE VIEW threadline.actions AS
SELECT a.id,
       a.occurred_at,
       a.name,
       a.category,
       a.verb,
       a.actor_type,
       a.actor_id,
       a.status,
       a.reason,
       a.comment,
       a.request_id,
       a.correlation_id,
       a.job_id,
       a.source,
       a.remote_ip,
       a.meta,
       a.application_name,
       a.transaction_id
FROM threadline.audit_actions AS a;
COMMENT ON VIEW threadline.actions IS
    'Every recorded action, for reading in psql';
