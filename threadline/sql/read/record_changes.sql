-- Returns the changes of one record, including those by which its key came and went: as in
-- threadline.audit_changes, but without reading the final form of other records' unposted
-- entries. Without those from before the primary key of its table changed, or with the ones after
-- another id.
CREATE OR REPLACE FUNCTION threadline.record_changes(audited_table integer, record_key text, since bigint DEFAULT NULL) RETURNS SETOF threadline.audit_changes
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT c.id, c.transaction_id, c.captured_at, c.table_id, c.statement, c.op, c.record_key, c.previous_key,
           c.changed_from, c.changed_to, c.row_data
    FROM threadline.ledger_changes AS c
    WHERE c.table_id = record_changes.audited_table AND c.record_key = record_changes.record_key
      AND c.id > coalesce(record_changes.since, threadline.key_since(record_changes.audited_table))
    UNION ALL
    SELECT c.id, c.transaction_id, c.captured_at, c.table_id, c.statement, c.op, c.record_key, c.previous_key,
           c.changed_from, c.changed_to, c.row_data
    FROM threadline.ledger_changes AS c
    WHERE c.table_id = record_changes.audited_table AND c.previous_key = record_changes.record_key AND c.previous_key IS NOT NULL
      AND c.record_key IS DISTINCT FROM record_changes.record_key
      AND c.id > coalesce(record_changes.since, threadline.key_since(record_changes.audited_table))
    UNION ALL
    (SELECT p.id, p.transaction_id, p.captured_at, p.table_id, p.statement, p.op, p.record_key COLLATE "C", p.previous_key COLLATE "C",
            p.changed_from, p.changed_to, p.row_data
     FROM threadline.pending_changes(only_table => record_changes.audited_table, only_key => record_changes.record_key) AS p
     OFFSET 0);
END;
