c AS MATERIALIZED (
    SELECT c.captured_at, c.op::text AS op, c.table_id, c.transaction_id, c.id
    FROM (
{changes}) AS c
), x AS MATERIALIZED (
    -- Looked up one by one: the planner would read every transaction that there is.
    SELECT t.id, x.actor_type, x.actor_id, x.source
    FROM (SELECT DISTINCT c.transaction_id AS id FROM c) AS t
    LEFT JOIN LATERAL (
        SELECT a.actor_type, a.actor_id, a.source
        FROM threadline.audit_transactions AS a
        WHERE a.id = t.id
        OFFSET 0
    ) AS x ON true
), span AS MATERIALIZED (
    -- About sixty steps of a round length.
    SELECT coalesce(
        (SELECT s.step FROM unnest(ARRAY[1, 5, 15, 60, 300, 900, 3600, 10800, 21600, 43200, 86400, 604800, 2592000]) AS s (step)
         WHERE s.step * 60 >= extract(epoch FROM max(c.captured_at) - min(c.captured_at))
         ORDER BY s.step
         LIMIT 1), 31536000) AS step
    FROM c
)
SELECT GROUPING(b.bin, t.table_name, c.op, x.actor_type, x.source),
       (SELECT step FROM span)::bigint,
       b.bin, t.schema_name, t.table_name, c.op, x.actor_type, x.actor_id, x.source,
       count(*), (SELECT count(*) FROM x),
       -- The changes of the first page, beside the total.
       CASE WHEN GROUPING(b.bin, t.table_name, c.op, x.actor_type, x.source) = 31 THEN
           ARRAY(SELECT c.transaction_id FROM c ORDER BY {order} LIMIT {first}) END,
       CASE WHEN GROUPING(b.bin, t.table_name, c.op, x.actor_type, x.source) = 31 THEN
           ARRAY(SELECT c.id FROM c ORDER BY {order} LIMIT {first}) END
FROM c
CROSS JOIN LATERAL (
    -- 2001 began on a Monday.
    SELECT date_bin(make_interval(secs => (SELECT step FROM span)), c.captured_at, '2001-01-01 00:00:00+00') AS bin
) AS b
LEFT JOIN threadline.audited_tables AS t ON t.id = c.table_id
-- Every transaction has a change here, so this is a left join, but never one that compares each
-- change with each transaction, as the planner may choose when it expects one of each.
FULL JOIN x ON x.id = c.transaction_id
GROUP BY GROUPING SETS ((b.bin), (t.schema_name, t.table_name), (c.op), (x.actor_type, x.actor_id), (x.source), ())
ORDER BY 1, 3, count(*) DESC, 4, 5, 6, 7, 8, 9
