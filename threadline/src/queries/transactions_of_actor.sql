SELECT x.id, {transaction columns}
FROM threadline.audit_transactions AS x
WHERE x.actor_type = {0}
  AND x.actor_id {1}
  AND x.id < {2}
ORDER BY x.id DESC
LIMIT {3}
