SELECT {action columns}
FROM threadline.audit_actions AS a
WHERE a.actor_type = {0} AND a.actor_id {1}
ORDER BY a.id
