-- Columns whose names suggest a secret and that have no explicit policy: they are recorded as they
-- are, or came since the policy of a table with redaction and are not recorded until then. The fix is the same for all of a table, because each
-- call replaces the policy.
SELECT threadline.qualified(n.nspname, c.relname) AS name,
       live.name AS column,
       k.name = ANY (t.key_columns) IS TRUE AS is_key,
       policy.column_policy = 'plain' AS is_recorded,
       threadline.audit_call(t.id, c.oid, pg_catalog.array_agg(live.name) FILTER (WHERE (k.name = ANY (t.key_columns)) IS NOT true)
           OVER (PARTITION BY t.id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)) AS fix
FROM threadline.audited_tables AS t
JOIN pg_catalog.pg_class AS c ON c.oid = threadline.locate_table(t.id)
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN LATERAL threadline.secret_columns(c.oid) AS live
JOIN LATERAL threadline.column_policy(t.id, c.oid) AS policy ON policy.name = live.name
LEFT JOIN LATERAL pg_catalog.jsonb_to_recordset(t.columns) AS k (number smallint, name text)
    ON CASE WHEN t.relation = c.oid THEN k.number = live.number ELSE k.name = live.name END
WHERE t.unaudited_at IS NULL AND threadline.audited_table_of(c.oid) = t.id
  AND c.oid = coalesce($1::pg_catalog.regclass, c.oid)
  AND CASE WHEN k.name IS NULL THEN policy.column_policy = 'plain' OR NOT t.policy ? 'columns'
           ELSE policy.column_policy = 'plain' AND NOT coalesce(t.policy -> 'plain' ? k.name, false)
                AND NOT coalesce(t.policy -> 'columns' ? k.name, false) END
ORDER BY n.nspname, c.relname, live.number
