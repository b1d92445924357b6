-- Reads no more of each transaction than requested: one with a million changes costs no more than
-- others.
SELECT c.*
FROM {transactions}
CROSS JOIN LATERAL (
    SELECT *
    FROM threadline.audit_changes AS c
    WHERE c.transaction_id = {transaction}
      AND {change conditions}
    ORDER BY c.id DESC
    LIMIT {limit}
) AS c
WHERE {transaction conditions}
ORDER BY {transaction} DESC, c.id DESC
LIMIT {limit}
