-- One by one: the planner expects ten of them, and would read every transaction for more.
SELECT
{change columns}
FROM unnest({0}, {1}) WITH ORDINALITY AS given (transaction_id, id, place)
CROSS JOIN LATERAL (
    SELECT *
    FROM threadline.audit_changes AS c
    WHERE c.transaction_id = given.transaction_id AND c.id = given.id
    OFFSET 0
) AS c
{change tables}
ORDER BY given.place
