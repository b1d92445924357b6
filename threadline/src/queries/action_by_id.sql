SELECT {action columns}
FROM threadline.audit_actions AS a
WHERE a.id = {0}
