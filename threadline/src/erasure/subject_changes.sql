SELECT
{change columns}
FROM threadline.subject_changes({0}::regclass, {1}) AS c
{change tables}
ORDER BY c.transaction_id, c.id
