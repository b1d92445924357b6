-- Creates the trigger function that captures a table, unless it already matches. Any role may
-- create a trigger that calls it: it records only changes of its own table made through its own
-- triggers, so that the table's owner can attach partitions.
CREATE OR REPLACE FUNCTION threadline.build_function(audited_table integer, target regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_source text := threadline.capture_source(audited_table, target);
BEGIN
    EXECUTE format(
        'CREATE OR REPLACE FUNCTION threadline.capture_%s() RETURNS trigger '
        'LANGUAGE plpgsql SECURITY DEFINER %s AS %L',
        audited_table, threadline.pinned_settings(audited_table, target, tl_source), tl_source);
    EXECUTE format('GRANT EXECUTE ON FUNCTION threadline.capture_%s() TO PUBLIC', audited_table);
    EXECUTE format('COMMENT ON FUNCTION threadline.capture_%s() IS %L',
        audited_table, format('Records the changes of %s; written by threadline.audit()', target));
END
$$;
