LEFT JOIN (
    -- Worked out once for each table, not for each change.
    SELECT *, threadline.numeric_columns(columns) AS numeric_columns
    FROM threadline.audited_tables
    OFFSET 0
) AS t ON t.id = c.table_id
LEFT JOIN threadline.audit_transactions AS x ON x.id = c.transaction_id
