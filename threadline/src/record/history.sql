SELECT
{change columns}
FROM story AS c
{change tables}
ORDER BY c.id DESC
LIMIT {story limit}
