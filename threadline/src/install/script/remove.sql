    -- Tables still audited are released first: their triggers call what goes here.
    FOR tl_object IN
        SELECT g.tgname AS name, g.tgrelid::pg_catalog.regclass AS relation
        FROM pg_catalog.pg_trigger AS g
        JOIN pg_catalog.pg_proc AS p ON p.oid = g.tgfoid
        WHERE p.pronamespace = 'threadline'::pg_catalog.regnamespace AND g.tgparentid = 0
    LOOP
        EXECUTE pg_catalog.format('DROP TRIGGER %I ON %s', tl_object.name, tl_object.relation);
    END LOOP;
    PERFORM pg_catalog.set_config('client_min_messages', 'warning', true);
    FOR tl_object IN
        SELECT pg_catalog.format('VIEW IF EXISTS threadline.%I', c.relname) AS what
        FROM pg_catalog.pg_class AS c
        WHERE c.relnamespace = 'threadline'::pg_catalog.regnamespace AND c.relkind = 'v'
        UNION ALL
        SELECT pg_catalog.format('ROUTINE IF EXISTS threadline.%I(%s)', p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid))
        FROM pg_catalog.pg_proc AS p
        WHERE p.pronamespace = 'threadline'::pg_catalog.regnamespace
        UNION ALL
        SELECT pg_catalog.format('TYPE IF EXISTS threadline.%I', c.relname)
        FROM pg_catalog.pg_class AS c
        WHERE c.relnamespace = 'threadline'::pg_catalog.regnamespace AND c.relkind = 'c'
    LOOP
        EXECUTE 'DROP ' || tl_object.what || ' CASCADE';
    END LOOP;
    FOR tl_object IN
        SELECT c.relname AS name
        FROM pg_catalog.pg_class AS c
        WHERE c.relnamespace = 'threadline'::pg_catalog.regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    LOOP
        EXECUTE pg_catalog.format('DROP TABLE threadline.%I', tl_object.name);
    END LOOP;
    DROP SCHEMA threadline;
