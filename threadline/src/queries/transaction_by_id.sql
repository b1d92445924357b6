SELECT x.id, {transaction columns}
FROM threadline.audit_transactions AS x
WHERE x.id = {0}
