SELECT
{change columns}
-- Limited before the joins: the planner overestimates the lineage and would read every
-- transaction for it.
FROM (SELECT * FROM story ORDER BY story.id DESC LIMIT {story limit}) AS c
{change tables}
ORDER BY c.id DESC
