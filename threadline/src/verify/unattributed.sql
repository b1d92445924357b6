-- How many of the newest posted transactions with changes have no actor, and where most of them
-- come from. The first changes of a transaction give its tables.
WITH recent AS MATERIALIZED (
    SELECT x.id, x.opened_at, x.actor_type IS NULL AS unattributed, x.session_user_name, x.application_name
    FROM threadline.ledger_transactions AS x
    WHERE x.opened_at >= coalesce($1, '-infinity')
    ORDER BY x.opened_at DESC, x.id DESC
    LIMIT 10000
), changing AS MATERIALIZED (
    SELECT r.*, tables.ids
    FROM recent AS r
    CROSS JOIN LATERAL (
        SELECT pg_catalog.array_agg(DISTINCT c.table_id) AS ids
        FROM (
            SELECT c.table_id FROM threadline.ledger_changes AS c WHERE c.transaction_id = r.id ORDER BY c.id LIMIT 100
        ) AS c
    ) AS tables
    WHERE tables.ids IS NOT NULL
), source AS (
    SELECT c.session_user_name, c.application_name, t.schema_name, t.table_name, pg_catalog.count(*) AS transactions
    FROM changing AS c
    CROSS JOIN LATERAL pg_catalog.unnest(c.ids) AS of_table (id)
    JOIN threadline.audited_tables AS t ON t.id = of_table.id
    WHERE c.unattributed
    GROUP BY 1, 2, 3, 4
), ranked AS (
    SELECT s.*, pg_catalog.row_number() OVER (ORDER BY s.transactions DESC, s.session_user_name, s.application_name, s.schema_name, s.table_name) AS place
    FROM source AS s
)
SELECT counted.unattributed, counted.transactions, counted.since,
       (SELECT pg_catalog.string_agg(pg_catalog.format(
                   '%s by role %I%s in %I.%I', r.transactions, r.session_user_name,
                   ', application ' || pg_catalog.quote_literal(r.application_name), r.schema_name, r.table_name), ', ' ORDER BY r.place)
        FROM ranked AS r WHERE r.place <= 5)
       || CASE WHEN EXISTS (SELECT FROM ranked AS r WHERE r.place > 5) THEN ', ...' ELSE '' END AS sources
FROM (
    SELECT pg_catalog.count(*) FILTER (WHERE c.unattributed) AS unattributed, pg_catalog.count(*) AS transactions, pg_catalog.min(c.opened_at) AS since
    FROM changing AS c
) AS counted
WHERE counted.unattributed > 0
