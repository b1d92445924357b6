SELECT found.id IS NOT NULL,
       to_regclass({0}) IS NOT NULL,
       coalesce(t.key_columns, ARRAY[]::text[]),
       t.audited_since,
       t.former_keys,
       -- Under their present names.
       CASE WHEN found.id IS NULL THEN ARRAY(
           SELECT CASE WHEN named.schema_name = current_schema() THEN quote_ident(named.table_name)
                       ELSE quote_ident(named.schema_name) || '.' || quote_ident(named.table_name) END
           FROM threadline.audited_tables AS a
           CROSS JOIN LATERAL threadline.name_now(a.id) AS named
           ORDER BY named.schema_name, named.table_name) ELSE ARRAY[]::text[] END
FROM (SELECT threadline.find_audited_table({0}) AS id) AS found
LEFT JOIN threadline.audited_tables AS t USING (id)
