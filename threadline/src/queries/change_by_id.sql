SELECT
{change columns}
FROM threadline.audit_changes AS c
{change tables}
WHERE c.transaction_id = {0} AND c.id = {1}
