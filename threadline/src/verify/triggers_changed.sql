-- Tables that lost triggers of the audit by a command, as threadline.watch() noted.
SELECT 'triggers-changed' AS code, last.relation,
       pg_catalog.format(
           '%s at %s by %s, who was logged in as %s%s; writes until the triggers were restored are not recorded; see `audit timeline --action audit.triggers_changed`',
           last.what, pg_catalog.to_char(last.occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC',
           CASE WHEN last.actor_type = 'anonymous' THEN 'anonymous' ELSE pg_catalog.concat_ws(':', last.actor_type, last.actor_id) END,
           last.logged_in, CASE last.times WHEN 1 THEN '' ELSE pg_catalog.format(', the last time of %s', last.times) END) AS message,
       NULL::pg_catalog.text AS fix
FROM (
    SELECT DISTINCT ON (a.meta ->> 'table_id', a.meta ->> 'table')
           a.meta ->> 'table' AS relation, a.meta ->> 'what' AS what, a.meta ->> 'session_user' AS logged_in,
           a.occurred_at, a.actor_type, a.actor_id,
           pg_catalog.count(*) OVER (PARTITION BY a.meta ->> 'table_id', a.meta ->> 'table') AS times
    FROM threadline.audit_actions AS a
    WHERE a.name = 'audit.triggers_changed' AND a.occurred_at >= coalesce($1, '-infinity')
      -- A partition that left, and is not back, is reported as that.
      AND NOT EXISTS (
          SELECT
          FROM threadline.known_partitions AS k
          WHERE k.table_id::pg_catalog.text = a.meta ->> 'table_id' AND k.name = a.meta ->> 'table'
            AND k.left_by IS NOT NULL AND k.left_at <= a.occurred_at
            AND a.meta ->> 'what' IN ('the partition was detached', 'the table was dropped'))
      AND ($2 IS NULL OR a.meta ->> 'table_id' IN (
          SELECT t.id::pg_catalog.text FROM threadline.audited_tables AS t WHERE threadline.locate_table(t.id) = $2::pg_catalog.regclass))
    ORDER BY a.meta ->> 'table_id', a.meta ->> 'table', a.id DESC
) AS last
ORDER BY last.relation COLLATE "C"
