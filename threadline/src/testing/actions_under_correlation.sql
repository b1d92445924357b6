SELECT {action columns}
FROM threadline.audit_actions AS a
WHERE a.correlation_id = {0}
ORDER BY a.id
