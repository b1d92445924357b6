-- What threadline.unaudit() does as the owner of the audit.
CREATE FUNCTION threadline.end_audit(target regclass) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, threadline, pg_temp
-- That triggers go with the functions need not be said.
SET client_min_messages = warning
AS $$
DECLARE
    tl_id integer := threadline.own_audited_table(target);
BEGIN
    PERFORM threadline.require_handed_over(target);
    -- The triggers depend on the functions, those on partitions included.
    EXECUTE format('DROP FUNCTION %s CASCADE', (
        SELECT string_agg(format('threadline.%I()', f.name), ', ') FROM threadline.capture_functions(tl_id) AS f));
    UPDATE threadline.audited_tables SET unaudited_at = now() WHERE id = tl_id;
    PERFORM threadline.own_action('audit.stopped', jsonb_build_object('table', target, 'table_id', tl_id));
END
$$;
REVOKE ALL ON FUNCTION threadline.end_audit(regclass) FROM PUBLIC;
