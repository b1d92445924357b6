-- Makes a trigger function that captures a table.
CREATE FUNCTION threadline.build_function(name text, source text, target regclass) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
BEGIN
    EXECUTE format(
        'CREATE OR REPLACE FUNCTION threadline.%I() RETURNS trigger '
        'LANGUAGE plpgsql SECURITY DEFINER '
        'SET search_path = pg_catalog, threadline, pg_temp %s '
        'AS %L', name, threadline.pinned_settings(target), source);
    EXECUTE format('REVOKE ALL ON FUNCTION threadline.%I() FROM PUBLIC', name);
    EXECUTE format('COMMENT ON FUNCTION threadline.%I() IS %L',
        name, format('Records the changes of %s; written by threadline.audit()', target));
END
$$;
