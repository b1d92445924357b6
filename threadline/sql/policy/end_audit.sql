-- Runs the part of threadline.unaudit() that needs the owner of the audit.
CREATE OR REPLACE FUNCTION threadline.end_audit(target regclass) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off AS $$
DECLARE
    tl_id integer := threadline.known_table_of(target);
BEGIN
    PERFORM threadline.require_handed_over(target);
    -- ENABLE TRIGGER ALL, after a load of data, enables the triggers again.
    EXECUTE format('CREATE OR REPLACE FUNCTION threadline.capture_%s() RETURNS trigger LANGUAGE plpgsql AS %L',
        tl_id, 'BEGIN RETURN NULL; END');
    UPDATE threadline.audited_tables SET unaudited_at = now() WHERE id = tl_id;
    PERFORM threadline.own_action('audit.stopped', jsonb_build_object('table', target, 'table_id', tl_id));
END
$$;
REVOKE ALL ON FUNCTION threadline.end_audit(regclass) FROM PUBLIC;
