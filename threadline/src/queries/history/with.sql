, associated AS MATERIALIZED (
    SELECT a.*
    FROM target
    CROSS JOIN LATERAL threadline.associated_changes(
        target.table_id,
        (SELECT jsonb_agg(jsonb_build_object(
             'record_key', s.record_key, 'since', s.from_id, 'until', s.before_id,
             'since_transaction', s.arrival_transaction, 'until_transaction', s.left_transaction))
         FROM segment AS s WHERE NOT s.is_former),
        {paths}, {before}, {at most}) AS a
), either AS (
    SELECT DISTINCT ON (c.id) c.*
    FROM (
        SELECT * FROM record_changes
        UNION ALL
        SELECT a.id, a.transaction_id, a.captured_at, a.table_id, a.statement, a.op, a.record_key, a.previous_key,
               a.changed_from, a.changed_to, a.row_data
        FROM associated AS a
    ) AS c
    ORDER BY c.id DESC
    LIMIT {change limit}
), reference AS (
    SELECT a.id, jsonb_agg(jsonb_build_object('through', a.through, 'moved', a.moved) ORDER BY a.through) AS list
    FROM associated AS a
    GROUP BY a.id
)
SELECT
{change columns},
reference.list
FROM either AS c
{change tables}
LEFT JOIN reference ON reference.id = c.id
ORDER BY c.id DESC
