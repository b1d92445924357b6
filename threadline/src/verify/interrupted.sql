-- Tables whose audit was stopped and began again: what was written to them in between,
-- if anything, nobody knows.
SELECT 'audit-interrupted' AS code, last.name AS relation,
       pg_catalog.format(
           'its audit ended %s, and what was written until it began again %s is not recorded%s; see `audit timeline --action audit.restarted`',
           coalesce(pg_catalog.to_char(last.stopped_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC', 'with the table or its triggers'),
           pg_catalog.to_char(last.restarted_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC',
           CASE last.times WHEN 1 THEN '' ELSE pg_catalog.format(', the last time of %s', last.times) END) AS message,
       NULL::pg_catalog.text AS mend
FROM (
    SELECT DISTINCT ON (t.id) t.id, coalesce((pg_catalog.pg_identify_object('pg_catalog.pg_class'::pg_catalog.regclass, at.relation, 0)).identity, pg_catalog.format('%I.%I', t.schema_name, t.table_name)) AS name,
           gap.stopped_at, a.occurred_at AS restarted_at, pg_catalog.count(*) OVER (PARTITION BY t.id) AS times
    FROM threadline.audit_actions AS a
    JOIN threadline.audited_tables AS t ON t.id = (a.meta ->> 'table_id')::pg_catalog.int4
    CROSS JOIN LATERAL (SELECT (a.meta ->> 'stopped_at')::pg_catalog.timestamptz AS stopped_at) AS gap
    CROSS JOIN LATERAL (SELECT threadline.whereabouts(t.id) AS relation) AS at
    WHERE a.name = 'audit.restarted' AND a.occurred_at >= coalesce($1, '-infinity')
      AND ($2 IS NULL OR at.relation = $2::pg_catalog.regclass)
    ORDER BY t.id, a.id DESC
) AS last
ORDER BY last.name COLLATE "C"
