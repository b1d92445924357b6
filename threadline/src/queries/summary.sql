SELECT GROUPING(c.day, t.table_name, c.op, x.actor_type), pg_catalog.to_char(c.day, 'YYYY-MM-DD'), t.schema_name, t.table_name, c.op,
       x.actor_type, x.actor_id, count(*)
FROM (
    SELECT (c.captured_at AT TIME ZONE 'UTC')::date AS day, c.op::text AS op, c.table_id, c.transaction_id
    FROM (
{changes}) AS c
) AS c
LEFT JOIN threadline.audited_tables AS t ON t.id = c.table_id
LEFT JOIN threadline.audit_transactions AS x ON x.id = c.transaction_id
GROUP BY GROUPING SETS ((c.day), (t.schema_name, t.table_name), (c.op), (x.actor_type, x.actor_id), ())
ORDER BY 1, 2, count(*) DESC, 3, 4, 5, 6, 7
