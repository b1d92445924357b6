CREATE VIEW threadline.audit_changes AS
SELECT c.id, c.transaction_id, c.captured_at, c.table_id, c.statement, c.op, c.record_key, c.previous_key,
       c.changed_from, c.changed_to, c.row_data
FROM threadline.ledger_changes AS c
UNION ALL
(SELECT p.id, p.transaction_id, p.captured_at, p.table_id, p.statement, p.op, p.record_key COLLATE "C", p.previous_key COLLATE "C",
       p.changed_from, p.changed_to, p.row_data
FROM threadline.pending_changes() AS p
-- An optimization fence: merged with the calling query, it would search the ledger without its
-- indexes.
OFFSET 0);
COMMENT ON VIEW threadline.audit_changes IS
    'Every recorded change, whether it is still in the journal or in the ledger';
