SELECT {action columns}
FROM threadline.audit_actions AS a
WHERE {condition}
ORDER BY a.id
