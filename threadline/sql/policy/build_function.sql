-- Makes a trigger function that captures a table. The settings decide how values
-- become text: one value has one image, whoever writes it.
CREATE FUNCTION threadline.build_function(name text, source text, target regclass) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
BEGIN
    EXECUTE format(
        'CREATE OR REPLACE FUNCTION threadline.%I() RETURNS trigger '
        'LANGUAGE plpgsql SECURITY DEFINER '
        'SET search_path = pg_catalog, threadline, pg_temp '
        'SET timezone = ''UTC'' SET datestyle = ''ISO, YMD'' SET intervalstyle = ''postgres'' '
        'SET bytea_output = ''hex'' SET extra_float_digits = 1 '
        'AS %L', name, source);
    EXECUTE format('REVOKE ALL ON FUNCTION threadline.%I() FROM PUBLIC', name);
    EXECUTE format('COMMENT ON FUNCTION threadline.%I() IS %L',
        name, format('Records the changes of %s; written by threadline.audit()', target));
END
$$;
