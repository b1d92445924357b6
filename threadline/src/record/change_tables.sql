LEFT JOIN threadline.audited_tables AS t ON t.id = c.table_id
LEFT JOIN threadline.audit_transactions AS x ON x.id = c.transaction_id
