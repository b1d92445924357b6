SELECT
{change columns}
FROM threadline.audit_changes AS c
{change tables}
WHERE c.transaction_id = ANY ({0})
ORDER BY c.id
LIMIT {1}
