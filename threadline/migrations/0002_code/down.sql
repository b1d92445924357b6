-- Tables still audited are released first: their triggers call what goes here.
DO $threadline$
DECLARE
    tl_object record;
BEGIN
    PERFORM pg_catalog.set_config('client_min_messages', 'warning', true);
    FOR tl_object IN
        SELECT g.tgname AS name, g.tgrelid::regclass AS relation
        FROM pg_trigger AS g
        JOIN pg_proc AS p ON p.oid = g.tgfoid
        WHERE p.pronamespace = 'threadline'::regnamespace AND g.tgparentid = 0
    LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', tl_object.name, tl_object.relation);
    END LOOP;
    FOR tl_object IN
        SELECT format('VIEW IF EXISTS threadline.%I CASCADE', c.relname) AS what
        FROM pg_class AS c
        WHERE c.relnamespace = 'threadline'::regnamespace AND c.relkind = 'v'
        UNION ALL
        SELECT format('ROUTINE IF EXISTS threadline.%I(%s) CASCADE', p.proname, pg_get_function_identity_arguments(p.oid))
        FROM pg_proc AS p
        WHERE p.pronamespace = 'threadline'::regnamespace
        UNION ALL
        SELECT format('TYPE IF EXISTS threadline.%I CASCADE', c.relname)
        FROM pg_class AS c
        WHERE c.relnamespace = 'threadline'::regnamespace AND c.relkind = 'c'
    LOOP
        EXECUTE 'DROP ' || tl_object.what;
    END LOOP;
END
$threadline$;
DELETE FROM threadline.installed_code;
DELETE FROM threadline.schema_patches WHERE version = 2;
