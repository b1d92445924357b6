SELECT {action columns}
FROM threadline.audit_actions AS a
WHERE starts_with(a.application_name, {0}) AND a.occurred_at >= {1}
ORDER BY a.id
