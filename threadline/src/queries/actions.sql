SELECT {action columns}
FROM threadline.audit_actions AS a
WHERE {conditions}
ORDER BY a.occurred_at DESC, a.id DESC
LIMIT {limit}
