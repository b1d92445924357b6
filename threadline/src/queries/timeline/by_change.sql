SELECT c.*
FROM threadline.audit_changes AS c
{join transactions}
WHERE {change conditions}
  AND {transaction conditions}
ORDER BY c.transaction_id DESC, c.id DESC
LIMIT {limit}
