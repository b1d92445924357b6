-- The last transaction that a search may read: so many are before it.
SELECT x.id, 0::bigint, (SELECT a.opened_at FROM threadline.audit_transactions AS a WHERE a.id = x.id)
FROM (
    SELECT x.id
    FROM threadline.audit_transactions AS x
    WHERE {conditions}
    ORDER BY x.id DESC
    OFFSET {most}
    LIMIT 1
) AS x
