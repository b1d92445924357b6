    -- Audited tables are released first: their triggers call the functions dropped here.
    SELECT pg_catalog.array_agg(dropped.what ORDER BY dropped.turn)
    INTO tl_statements
    FROM (
        SELECT 1 AS turn, pg_catalog.format('DROP TRIGGER %I ON %s', g.tgname, g.tgrelid::pg_catalog.regclass) AS what
        FROM pg_catalog.pg_trigger AS g
        JOIN pg_catalog.pg_proc AS p ON p.oid = g.tgfoid
        WHERE p.pronamespace = 'threadline'::pg_catalog.regnamespace AND g.tgparentid = 0
        UNION ALL
        SELECT 2, pg_catalog.format('LOCK TABLE threadline.%I IN ACCESS EXCLUSIVE MODE', c.relname)
        FROM pg_catalog.pg_class AS c
        WHERE c.relnamespace = 'threadline'::pg_catalog.regnamespace AND c.relkind IN ('r', 'p')
        UNION ALL
        SELECT 3, pg_catalog.format('DROP VIEW IF EXISTS threadline.%I CASCADE', c.relname)
        FROM pg_catalog.pg_class AS c
        WHERE c.relnamespace = 'threadline'::pg_catalog.regnamespace AND c.relkind = 'v'
        UNION ALL
        SELECT 4, pg_catalog.format('DROP ROUTINE IF EXISTS threadline.%I(%s) CASCADE', p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid))
        FROM pg_catalog.pg_proc AS p
        WHERE p.pronamespace = 'threadline'::pg_catalog.regnamespace
        UNION ALL
        SELECT 5, pg_catalog.format('DROP TYPE IF EXISTS threadline.%I CASCADE', c.relname)
        FROM pg_catalog.pg_class AS c
        WHERE c.relnamespace = 'threadline'::pg_catalog.regnamespace AND c.relkind = 'c'
        UNION ALL
        SELECT 6, pg_catalog.format('DROP TABLE threadline.%I', c.relname)
        FROM pg_catalog.pg_class AS c
        WHERE c.relnamespace = 'threadline'::pg_catalog.regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
        UNION ALL
        SELECT 7, 'DROP SCHEMA threadline'
    ) AS dropped;
