    SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('name', c.relname, 'privilege', a.privilege_type, 'grantee',
               CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::pg_catalog.regrole::text END))
    INTO tl_grants
    FROM pg_catalog.pg_class AS c
    CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) AS a
    WHERE c.relnamespace = 'threadline'::pg_catalog.regnamespace AND c.relname = ANY (tl_views) AND a.grantee <> c.relowner;
    -- The journal first: a session with the locks of a write waits for nothing else. The outer
    -- views before the inner: readers lock them in this order, too.
    SELECT pg_catalog.array_agg(dropped.what ORDER BY dropped.turn, dropped.oid DESC)
    INTO tl_statements
    FROM (
        SELECT CASE c.relname WHEN 'journal' THEN 0 ELSE 1 END AS turn, c.oid,
               pg_catalog.format('LOCK TABLE threadline.%I IN ACCESS EXCLUSIVE MODE', c.relname) AS what
        FROM pg_catalog.pg_class AS c
        WHERE c.relnamespace = 'threadline'::pg_catalog.regnamespace AND c.relkind IN ('r', 'p')
        UNION ALL
        SELECT 2, c.oid, pg_catalog.format('DROP VIEW threadline.%I CASCADE', c.relname)
        FROM pg_catalog.pg_class AS c
        WHERE c.relnamespace = 'threadline'::pg_catalog.regnamespace AND c.relkind = 'v' AND c.relname = ANY (tl_views)
        UNION ALL
        SELECT 3, c.oid, pg_catalog.format('DROP TYPE threadline.%I CASCADE', c.relname)
        FROM pg_catalog.pg_class AS c
        WHERE c.relnamespace = 'threadline'::pg_catalog.regnamespace AND c.relkind = 'c' AND c.relname = ANY (tl_types)
        UNION ALL
        -- The others are replaced in place, so that a write that calls them now continues.
        SELECT 4, p.oid, pg_catalog.format('DROP ROUTINE IF EXISTS threadline.%I(%s) CASCADE', p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid))
        FROM pg_catalog.pg_proc AS p
        WHERE p.pronamespace = 'threadline'::pg_catalog.regnamespace AND p.proname = ANY (tl_functions)
    ) AS dropped;
