SELECT
{change columns}
FROM threadline.audit_changes AS c
LEFT JOIN (
    SELECT *, threadline.numeric_columns(columns) AS numeric_columns
    FROM threadline.audited_tables
    OFFSET 0
) AS t ON t.id = c.table_id
LEFT JOIN threadline.audit_transactions AS x ON x.id = c.transaction_id
WHERE c.transaction_id = ANY ({0})
ORDER BY c.id
