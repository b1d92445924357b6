SELECT {action columns}
FROM threadline.audit_actions AS a
WHERE a.transaction_id = ANY ({0})
ORDER BY a.id
