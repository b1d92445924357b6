SELECT c.transaction_id, t.schema_name || '.' || t.table_name, c.changes
FROM (
    SELECT transaction_id, table_id, count(*) AS changes
    FROM threadline.audit_changes
    WHERE transaction_id = ANY ({0})
    GROUP BY transaction_id, table_id
) AS c
LEFT JOIN threadline.audited_tables AS t ON t.id = c.table_id
