SELECT {action columns}
FROM threadline.audit_actions AS a
WHERE a.correlation_id = {0}
  -- A transaction that no longer exists shows no action either.
  AND NOT EXISTS (SELECT FROM threadline.audit_transactions AS x WHERE x.id = a.transaction_id OFFSET 0)
ORDER BY a.occurred_at DESC, a.id DESC
