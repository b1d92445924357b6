-- The transaction of the last action that a search may read: so many are before it.
SELECT a.transaction_id, 0::bigint, a.occurred_at
FROM threadline.audit_actions AS a
WHERE a.transaction_id IS NOT NULL AND {conditions}
ORDER BY a.transaction_id DESC
OFFSET {most}
LIMIT 1
