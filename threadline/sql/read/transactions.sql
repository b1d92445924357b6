CREATE VIEW threadline.transactions AS
SELECT x.*,
       (SELECT count(*) FROM threadline.audit_changes AS c WHERE c.transaction_id = x.id) AS changes
FROM threadline.audit_transactions AS x;
COMMENT ON VIEW threadline.transactions IS
    'Every AuditTransaction with the number of its changes';
