SELECT threadline.qualified(n.nspname, c.relname) AS name,
       threadline.chain_obstacle(c.oid) AS obstacle,
       threadline.audit_call(t.id, c.oid) AS audit_call
FROM threadline.audited_tables AS t
JOIN pg_catalog.pg_class AS c ON c.oid = threadline.locate_table(t.id)
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
-- A table that records no history cannot lack any.
WHERE t.unaudited_at IS NULL AND t.key_columns <> '{}' AND NOT t.policy ?| '{operations,condition}'
  AND threadline.audited_table_of(c.oid) = t.id
  AND c.oid = coalesce($1::pg_catalog.regclass, c.oid)
ORDER BY n.nspname, c.relname
