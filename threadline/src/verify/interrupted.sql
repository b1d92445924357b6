-- Tables whose audit stopped and began again: writes in between, if any, are unknown.
SELECT 'audit-interrupted' AS code, named.relation,
       pg_catalog.format(
           'its audit ended %s and resumed %s; writes in between are not recorded%s; see `audit timeline --action audit.restarted`',
           coalesce(pg_catalog.to_char((a.meta ->> 'stopped_at')::pg_catalog.timestamptz AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC', 'with the table or its triggers'),
           pg_catalog.to_char(a.occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC',
           CASE restarts.times WHEN 1 THEN '' ELSE pg_catalog.format(', the last time of %s', restarts.times) END) AS message,
       NULL::pg_catalog.text AS fix
FROM (
    SELECT a.meta ->> 'table_id' AS table_id, pg_catalog.count(*) AS times, pg_catalog.max(a.id) AS last
    FROM threadline.audit_actions AS a
    WHERE a.name = 'audit.restarted' AND a.occurred_at >= coalesce($1, '-infinity')
    GROUP BY a.meta ->> 'table_id'
) AS restarts
JOIN threadline.audit_actions AS a ON a.id = restarts.last
JOIN threadline.audited_tables AS t ON t.id = restarts.table_id::pg_catalog.int4
CROSS JOIN LATERAL (SELECT threadline.qualified(n.schema_name, n.table_name) AS relation FROM threadline.name_now(t.id) AS n) AS named
WHERE $2 IS NULL OR threadline.locate_table(t.id) = $2::pg_catalog.regclass
ORDER BY named.relation COLLATE "C"
