-- Returns the id under which the history of a table is kept, for a name quoted as in SQL
-- ('users', '"app"."Order"'). Also for a table that was dropped or is no longer audited, and for the
-- former name of a renamed one until its threadline.refresh(), if no other table has that name now;
-- NULL if it never was audited.
CREATE OR REPLACE FUNCTION threadline.find_audited_table(quoted_name text) RETURNS integer
LANGUAGE plpgsql STABLE AS $$
DECLARE
    -- Looked up under the caller's search_path, as the caller's own queries are.
    tl_relation regclass := pg_catalog.to_regclass(quoted_name);
    tl_parts text[] := pg_catalog.parse_ident(quoted_name);
    tl_id integer;
BEGIN
    IF tl_relation IS NOT NULL THEN
        tl_id := threadline.known_table_of(
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
    tl_id := threadline.former_table(tl_parts[1], tl_parts[2]);
    IF tl_id IS NULL AND tl_relation IS NULL THEN
        tl_id := threadline.renamed_table(tl_parts[1], tl_parts[2]);
    END IF;
    RETURN tl_id;
END
$$;
