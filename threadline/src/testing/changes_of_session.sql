SELECT
{change columns}
FROM (
    SELECT changes.*
    FROM threadline.audit_transactions AS opened
    JOIN threadline.audit_changes AS changes ON changes.transaction_id = opened.id
    WHERE starts_with(opened.application_name, {0}) AND opened.opened_at >= {1}
) AS c
{change tables}
ORDER BY c.id
