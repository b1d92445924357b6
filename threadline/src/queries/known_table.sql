SELECT found.id IS NOT NULL,
       to_regclass({0}) IS NOT NULL,
       coalesce(t.key_columns, ARRAY[]::text[]),
       t.audited_since,
       t.former_keys,
       -- Under their present names.
       CASE WHEN found.id IS NULL THEN ARRAY(
           SELECT CASE WHEN named.schema_name = current_schema() THEN quote_ident(named.table_name)
                       ELSE quote_ident(named.schema_name) || '.' || quote_ident(named.table_name) END
           FROM (
               SELECT coalesce(n.nspname, a.schema_name) AS schema_name, coalesce(c.relname, a.table_name) AS table_name
               FROM threadline.audited_tables AS a
               LEFT JOIN pg_class AS c ON c.oid = threadline.locate_table(a.id)
               LEFT JOIN pg_namespace AS n ON n.oid = c.relnamespace
           ) AS named
           ORDER BY named.schema_name, named.table_name) ELSE ARRAY[]::text[] END
FROM (SELECT threadline.find_audited_table({0}) AS id) AS found
LEFT JOIN threadline.audited_tables AS t USING (id)
