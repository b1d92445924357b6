-- How often capture was suspended, and the latest suspension. Retention may have removed the
-- action.
WITH suspended AS (
    SELECT s.xact_id::pg_catalog.text || s.occurred_at AS transaction, NULL::bigint AS session, s.occurred_at, s.action_id
    FROM threadline.suspensions AS s
    WHERE s.occurred_at >= coalesce($1, '-infinity')
    UNION ALL
    SELECT NULL, s.action_id, s.occurred_at, s.action_id
    FROM threadline.session_suspensions AS s
    WHERE coalesce(s.resumed_at, 'infinity') >= coalesce($1, '-infinity')
), counted AS (
    SELECT pg_catalog.count(DISTINCT s.transaction) AS transactions, pg_catalog.count(s.session) AS sessions
    FROM suspended AS s
)
SELECT counted.*, s.occurred_at,
       coalesce(CASE WHEN a.actor_type = 'anonymous' THEN 'anonymous' ELSE nullif(pg_catalog.concat_ws(':', a.actor_type, a.actor_id), '') END, 'unknown') AS actor,
       a.reason
FROM suspended AS s
CROSS JOIN counted
LEFT JOIN threadline.audit_actions AS a ON a.id = s.action_id
ORDER BY s.occurred_at DESC, s.action_id DESC
LIMIT 1
