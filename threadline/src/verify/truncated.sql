-- Tables of which a TRUNCATE removed rows that the audit could not read, because its owner had no
-- right to, or its snapshot was older: neither the rows nor their number are recorded.
SELECT 'truncate-unseen' AS code, named.relation,
       pg_catalog.format(
           'rows that a TRUNCATE removed at %s are not recorded: the audit could not read all of them%s; logged in was role %s',
           pg_catalog.to_char(last.captured_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC',
           CASE last.times WHEN 1 THEN '' ELSE pg_catalog.format(', the last time of %s', last.times) END,
           coalesce(x.session_user_name, 'unknown')) AS message,
       NULL::pg_catalog.text AS fix
FROM (
    SELECT DISTINCT ON (c.table_id) c.table_id, c.transaction_id, c.captured_at, pg_catalog.count(*) OVER (PARTITION BY c.table_id) AS times
    FROM threadline.audit_changes AS c
    WHERE c.op = 'T' AND c.record_key IS NULL AND c.row_data IS NULL AND c.changed_to IS NULL
      AND c.captured_at >= coalesce($1, '-infinity')
    ORDER BY c.table_id, c.id DESC
) AS last
JOIN threadline.audited_tables AS t ON t.id = last.table_id
LEFT JOIN threadline.audit_transactions AS x ON x.id = last.transaction_id
CROSS JOIN LATERAL (SELECT threadline.qualified(n.schema_name, n.table_name) AS relation FROM threadline.name_now(t.id) AS n) AS named
WHERE $2 IS NULL OR threadline.locate_table(t.id) = $2::pg_catalog.regclass
ORDER BY named.relation COLLATE "C"
