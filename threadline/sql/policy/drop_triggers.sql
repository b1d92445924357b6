-- Takes a table's own capture triggers away, whichever function they call.
CREATE FUNCTION threadline.drop_triggers(target regclass) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_name name;
BEGIN
    FOR tl_name IN
        SELECT g.tgname
        FROM pg_trigger AS g
        JOIN pg_proc AS p ON p.oid = g.tgfoid
        WHERE g.tgrelid = target AND g.tgparentid = 0
          AND p.pronamespace = 'threadline'::regnamespace AND p.proname ~ '^capture_[0-9]+(_insert|_update|_delete)?$'
    LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', tl_name, target);
    END LOOP;
END
$$;
