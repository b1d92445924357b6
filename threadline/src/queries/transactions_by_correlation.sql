WITH found AS (
    SELECT id FROM threadline.audit_transactions WHERE correlation_id = {0}
    UNION
    SELECT transaction_id FROM threadline.audit_actions
    WHERE correlation_id = {0} AND transaction_id IS NOT NULL
)
SELECT x.id, {transaction columns}
FROM found
JOIN threadline.audit_transactions AS x USING (id)
ORDER BY x.id DESC
