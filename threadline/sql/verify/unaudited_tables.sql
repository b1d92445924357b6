-- Returns the application's tables that are not audited. Those of extensions and Diesel's own are
-- not the application's. A name in `allowed` is quoted as in SQL.
CREATE OR REPLACE FUNCTION threadline.unaudited_tables(allowed text[] DEFAULT '{}') RETURNS SETOF threadline.finding
LANGUAGE plpgsql STABLE AS $$
DECLARE
    -- Looked up under the caller's search_path, as the caller's own queries are.
    tl_allowed pg_catalog.oid[] := ARRAY(
        SELECT pg_catalog.to_regclass(name)::pg_catalog.oid FROM pg_catalog.unnest(allowed) AS name);
BEGIN
    RETURN QUERY SELECT * FROM threadline.unaudited_tables_but(tl_allowed);
END
$$;
