-- Foreign keys with one column, from a table and to it.
SELECT c.confrelid = target.relation, o.schema_name, o.table_name, a.attname::text, f.attname::text
FROM (SELECT to_regclass({0})::oid AS relation) AS target
JOIN pg_catalog.pg_constraint AS c
  ON c.contype = 'f' AND cardinality(c.conkey) = 1 AND target.relation IN (c.conrelid, c.confrelid)
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
JOIN pg_catalog.pg_attribute AS f ON f.attrelid = c.confrelid AND f.attnum = c.confkey[1]
JOIN pg_catalog.pg_class AS r ON r.oid = CASE WHEN c.confrelid = target.relation THEN c.conrelid ELSE c.confrelid END
JOIN pg_catalog.pg_namespace AS n ON n.oid = r.relnamespace
JOIN threadline.audited_tables AS o ON o.schema_name = n.nspname AND o.table_name = r.relname
WHERE c.conparentid = 0
ORDER BY 1, 2, 3, 4
