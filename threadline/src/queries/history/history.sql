SELECT
{change columns}
-- Limited before the joins: the planner overestimates the lineage and would read every
-- transaction for it.
FROM (SELECT * FROM record_changes ORDER BY record_changes.id DESC LIMIT {change limit}) AS c
{change tables}
ORDER BY c.id DESC
