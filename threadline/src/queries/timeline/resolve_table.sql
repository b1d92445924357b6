SELECT t.id,
       coalesce(t.key_columns, ARRAY[]::text[]),
       -- Under their present names.
       CASE WHEN t.id IS NULL THEN (
           SELECT coalesce(string_agg(named.name, ', ' ORDER BY named.name), 'none')
           FROM (
               SELECT threadline.qualified(n.schema_name, n.table_name) AS name
               FROM threadline.audited_tables AS a
               CROSS JOIN LATERAL threadline.name_now(a.id) AS n
           ) AS named) ELSE '' END
FROM (SELECT threadline.find_audited_table({0}) AS id) AS found
LEFT JOIN threadline.audited_tables AS t USING (id)
