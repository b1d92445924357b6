SELECT t.id,
       coalesce(t.key_columns, ARRAY[]::text[]),
       -- Under their present names.
       CASE WHEN t.id IS NULL THEN (
           SELECT coalesce(string_agg(named.name, ', ' ORDER BY named.name), 'none')
           FROM (
               SELECT threadline.qualified(coalesce(n.nspname, a.schema_name), coalesce(c.relname, a.table_name)) AS name
               FROM threadline.audited_tables AS a
               LEFT JOIN pg_class AS c ON c.oid = threadline.locate_table(a.id)
               LEFT JOIN pg_namespace AS n ON n.oid = c.relnamespace
           ) AS named) ELSE '' END
FROM (SELECT threadline.find_audited_table({0}) AS id) AS found
LEFT JOIN threadline.audited_tables AS t USING (id)
