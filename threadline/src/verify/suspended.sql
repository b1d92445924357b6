-- How often capture was suspended, and what the last one says. An action may have gone
-- with what was kept no longer.
SELECT pg_catalog.count(*) OVER () AS transactions, s.occurred_at,
       coalesce(CASE WHEN a.actor_type = 'anonymous' THEN 'anonymous' ELSE pg_catalog.concat_ws(':', a.actor_type, a.actor_id) END, 'nobody known') AS actor,
       a.reason
FROM (
    SELECT s.xact_id, s.occurred_at, pg_catalog.max(s.action_id) AS action_id
    FROM threadline.suspensions AS s
    WHERE s.occurred_at >= coalesce($1, '-infinity')
    GROUP BY s.xact_id, s.occurred_at
) AS s
LEFT JOIN threadline.audit_actions AS a ON a.id = s.action_id
ORDER BY s.occurred_at DESC, s.action_id DESC
LIMIT 1
