-- The last change that a search may read: so many changes are before it.
SELECT c.transaction_id, c.id, (
    SELECT a.captured_at FROM threadline.audit_changes AS a WHERE a.transaction_id = c.transaction_id AND a.id = c.id)
FROM (
    SELECT c.transaction_id, c.id
    FROM threadline.audit_changes AS c
    WHERE {conditions}
    ORDER BY c.transaction_id DESC, c.id DESC
    OFFSET {most}
    LIMIT 1
) AS c
