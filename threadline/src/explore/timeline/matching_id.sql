-- The transaction's own id, or that of an action of it, both in the order of
-- their index.
(
    SELECT DISTINCT id
    FROM (
        SELECT id
        FROM threadline.audit_transactions
        WHERE {column} = {value}
        UNION ALL
        SELECT transaction_id
        FROM threadline.audit_actions
        WHERE {column} = {value} AND transaction_id IS NOT NULL
    ) AS either
    ORDER BY id DESC
) AS m
