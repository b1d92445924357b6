-- Makes the trigger functions that capture a table.
CREATE FUNCTION threadline.build_functions(audited_table integer, target regclass) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_owner regrole := (SELECT c.relowner FROM pg_class AS c WHERE c.oid = target);
    tl_function record;
    tl_former regrole;
BEGIN
    FOR tl_function IN SELECT * FROM threadline.capture_functions(audited_table) LOOP
        EXECUTE format(
            'CREATE OR REPLACE FUNCTION threadline.%I() RETURNS trigger '
            'LANGUAGE plpgsql SECURITY DEFINER '
            'SET search_path = pg_catalog, threadline, pg_temp %s '
            'AS %L', tl_function.name, threadline.pinned_settings(target),
            threadline.capture_source(audited_table, target, tl_function.operation));
        EXECUTE format('REVOKE ALL ON FUNCTION threadline.%I() FROM PUBLIC', tl_function.name);
        FOR tl_former IN
            SELECT given.grantee
            FROM pg_proc AS p CROSS JOIN LATERAL aclexplode(p.proacl) AS given
            WHERE p.oid = to_regproc('threadline.' || tl_function.name) AND given.grantee NOT IN (0, p.proowner, tl_owner)
        LOOP
            -- Who owned the table before.
            EXECUTE format('REVOKE ALL ON FUNCTION threadline.%I() FROM %s CASCADE', tl_function.name, tl_former);
        END LOOP;
        EXECUTE format('COMMENT ON FUNCTION threadline.%I() IS %L',
            tl_function.name, format('Records the changes of %s; written by threadline.audit()', target));
        IF tl_owner <> current_user::regrole THEN
            -- PostgreSQL asks for it of who makes triggers, and partitions.
            EXECUTE format('GRANT EXECUTE ON FUNCTION threadline.%I() TO %s', tl_function.name, tl_owner);
        END IF;
    END LOOP;
END
$$;
