CREATE VIEW threadline.audit_transactions AS
SELECT * FROM threadline.ledger_transactions
UNION ALL
(SELECT * FROM threadline.pending_transactions() OFFSET 0);
COMMENT ON VIEW threadline.audit_transactions IS
    'Every AuditTransaction, whether it is still in the journal or in the ledger';
