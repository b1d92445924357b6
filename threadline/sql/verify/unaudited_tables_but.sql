-- Returns the application's tables that are not audited, except those that need not be.
CREATE OR REPLACE FUNCTION threadline.unaudited_tables_but(allowed oid[]) RETURNS SETOF threadline.finding
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off AS $$
BEGIN
    RETURN QUERY
    SELECT CASE WHEN former.relation IS NULL THEN 'table-unaudited' ELSE 'table-replaced' END, c.oid::regclass::text,
           CASE WHEN former.relation IS NULL THEN 'nothing of it is recorded'
                ELSE format('nothing of it is recorded; the audited table that had this name is called %s now', former.relation) END,
           CASE WHEN former.relation IS NOT NULL THEN threadline.successor_call(former.id, former.relation, c.oid)
                ELSE format('SELECT threadline.audit(%L%s%s%s);', c.oid::regclass,
                    CASE WHEN NOT EXISTS (SELECT FROM threadline.key_columns_of(c.oid)) THEN ', keyless => true' END,
                    (SELECT ', exclude => ARRAY[' || string_agg(quote_literal(s.name), ', ') || ']' FROM threadline.secret_columns(c.oid) AS s
                     WHERE s.name NOT IN (SELECT k.name FROM threadline.key_columns_of(c.oid) AS k)),
                    (SELECT ', hash => ARRAY[' || string_agg(quote_literal(s.name), ', ') || ']' FROM threadline.secret_columns(c.oid) AS s
                     WHERE s.name IN (SELECT k.name FROM threadline.key_columns_of(c.oid) AS k))) END
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    LEFT JOIN LATERAL (
        SELECT t.id, at.relation
        FROM threadline.audited_tables AS t
        CROSS JOIN LATERAL (SELECT threadline.locate_table(t.id) AS relation) AS at
        WHERE (t.schema_name, t.table_name) = (n.nspname, c.relname) AND t.unaudited_at IS NULL AND at.relation <> c.oid
        ORDER BY t.id DESC
        LIMIT 1
    ) AS former ON true
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
      AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'threadline', 'pg_toast')
      AND c.relname <> '__diesel_schema_migrations'
      AND c.oid <> ALL (array_remove(allowed, NULL))
      AND threadline.audited_table_of(c.oid) IS NULL
      -- A table whose triggers are gone is reported as such.
      AND c.oid NOT IN (
          SELECT threadline.locate_table(t.id)
          FROM threadline.audited_tables AS t
          WHERE t.unaudited_at IS NULL AND threadline.locate_table(t.id) IS NOT NULL)
      AND NOT EXISTS (
          SELECT FROM pg_depend AS d
          WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
    ORDER BY 2;
END
$$;
