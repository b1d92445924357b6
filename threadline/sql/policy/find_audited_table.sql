-- The id under which the history of a table is kept, for a quoted name as in
-- SQL ('users', '"app"."Order"'). Also after it was dropped or is no longer
-- audited; NULL if it never was.
CREATE FUNCTION threadline.find_audited_table(quoted_name text) RETURNS integer
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    -- Looked up under the caller's search_path, as the caller's own queries are.
    tl_relation regclass := pg_catalog.to_regclass(quoted_name);
    tl_parts text[] := pg_catalog.parse_ident(quoted_name);
    tl_id integer;
BEGIN
    IF tl_relation IS NOT NULL THEN
        tl_id := threadline.audited_table_of(
            coalesce(pg_catalog.pg_partition_root(tl_relation), tl_relation));
        IF tl_id IS NOT NULL THEN
            RETURN tl_id;
        END IF;
        SELECT ARRAY[n.nspname, c.relname]::pg_catalog.text[]
        INTO tl_parts
        FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        WHERE c.oid = tl_relation;
    ELSIF pg_catalog.cardinality(tl_parts) = 1 THEN
        tl_parts := ARRAY[pg_catalog.current_schema(), tl_parts[1]];
    END IF;
    SELECT t.id INTO tl_id
    FROM threadline.audited_tables AS t
    WHERE t.schema_name = tl_parts[1] AND t.table_name = tl_parts[2]
      -- Not the history of a table that was renamed and goes on elsewhere.
      AND NOT EXISTS (
          SELECT FROM pg_catalog.pg_trigger AS g JOIN pg_catalog.pg_proc AS p ON p.oid = g.tgfoid
          WHERE p.pronamespace = 'threadline'::pg_catalog.regnamespace AND p.proname = 'capture_' || t.id)
    ORDER BY t.id DESC
    LIMIT 1;
    RETURN tl_id;
END
$$;
