-- The transaction's own id, or that of an action of it. Each half is in the order of its index,
-- so that they are merged, and no more is read than requested.
(
    SELECT DISTINCT id
    FROM (
        (SELECT id
        FROM threadline.audit_transactions
        WHERE {column} = {value} AND {transaction bounds}
        ORDER BY id DESC)
        UNION ALL
        (SELECT transaction_id
        FROM threadline.audit_actions
        WHERE {column} = {value} AND transaction_id IS NOT NULL AND {action bounds}
        ORDER BY transaction_id DESC)
    ) AS either
    ORDER BY id DESC
) AS m
