SELECT c.table_id
FROM threadline.audit_changes AS c
WHERE c.transaction_id = {0} AND c.id = {1}
