SELECT
{change columns}
FROM (
    SELECT changes.*
    FROM threadline.audit_transactions AS opened
    JOIN threadline.audit_changes AS changes ON changes.transaction_id = opened.id
    WHERE {condition}
) AS c
{change tables}
ORDER BY c.id
