    SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('name', c.relname, 'privilege', a.privilege_type, 'grantee',
               CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::pg_catalog.regrole::text END))
    INTO tl_grants
    FROM pg_catalog.pg_class AS c
    CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) AS a
    WHERE c.relnamespace = 'threadline'::pg_catalog.regnamespace AND c.relname = ANY (tl_views) AND a.grantee <> c.relowner;
    PERFORM pg_catalog.set_config('client_min_messages', 'warning', true);
    -- Views first, and the outer ones before the inner: readers lock them in this order, too.
    FOR tl_object IN
        SELECT dropped.what
        FROM (
            SELECT 1 AS turn, c.oid, pg_catalog.format('VIEW threadline.%I', c.relname) AS what
            FROM pg_catalog.pg_class AS c
            WHERE c.relnamespace = 'threadline'::pg_catalog.regnamespace AND c.relkind = 'v' AND c.relname = ANY (tl_views)
            UNION ALL
            SELECT 2, c.oid, pg_catalog.format('TYPE threadline.%I', c.relname)
            FROM pg_catalog.pg_class AS c
            WHERE c.relnamespace = 'threadline'::pg_catalog.regnamespace AND c.relkind = 'c' AND c.relname = ANY (tl_types)
            UNION ALL
            -- The others are replaced where they are, so that a write that calls them now goes on.
            SELECT 3, p.oid, pg_catalog.format('ROUTINE IF EXISTS threadline.%I(%s)', p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid))
            FROM pg_catalog.pg_proc AS p
            WHERE p.pronamespace = 'threadline'::pg_catalog.regnamespace AND p.proname = ANY (tl_functions)
        ) AS dropped
        ORDER BY dropped.turn, dropped.oid DESC
    LOOP
        EXECUTE 'DROP ' || tl_object.what || ' CASCADE';
    END LOOP;
