    -- Objects outside that use the code would be dropped with it.
    SELECT pg_catalog.string_agg(DISTINCT pg_catalog.format('%s uses %s',
               CASE WHEN v.oid IS NULL THEN pg_catalog.pg_describe_object(d.classid, d.objid, 0)
                    ELSE pg_catalog.format('%s %s', CASE v.relkind WHEN 'm' THEN 'materialized view' ELSE 'view' END, v.oid::pg_catalog.regclass) END,
               pg_catalog.pg_describe_object(d.refclassid, d.refobjid, 0)), '; ')
    INTO tl_users
    FROM pg_catalog.pg_depend AS d
    JOIN (
        SELECT 'pg_catalog.pg_class'::pg_catalog.regclass AS classid, c.oid, c.relname AS name, c.relkind IN ('v', 'c') AND c.relname = ANY (tl_views || tl_types) AS replaced
        FROM pg_catalog.pg_class AS c WHERE c.relnamespace = 'threadline'::pg_catalog.regnamespace
        UNION ALL
        SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid, t.typname, t.typname = ANY (tl_views || tl_types)
        FROM pg_catalog.pg_type AS t WHERE t.typnamespace = 'threadline'::pg_catalog.regnamespace
        UNION ALL
        SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass, p.oid, p.proname, p.proname = ANY (tl_functions)
        FROM pg_catalog.pg_proc AS p WHERE p.pronamespace = 'threadline'::pg_catalog.regnamespace
    ) AS own ON own.classid = d.refclassid AND own.oid = d.refobjid AND own.replaced
    LEFT JOIN pg_catalog.pg_rewrite AS r ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND r.oid = d.objid
    LEFT JOIN pg_catalog.pg_class AS v ON v.oid = r.ev_class
    LEFT JOIN pg_catalog.pg_class AS c ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND c.oid = d.objid
    LEFT JOIN pg_catalog.pg_proc AS p ON d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND p.oid = d.objid
    LEFT JOIN pg_catalog.pg_type AS t ON d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND t.oid = d.objid
    WHERE d.deptype = 'n'
      AND NOT coalesce(v.relnamespace = 'threadline'::pg_catalog.regnamespace AND v.relname = ANY (tl_views), false)
      AND NOT coalesce(c.relnamespace = 'threadline'::pg_catalog.regnamespace AND c.relname = ANY (tl_views || tl_types), false)
      AND NOT coalesce(p.pronamespace = 'threadline'::pg_catalog.regnamespace, false)
      AND NOT coalesce(t.typnamespace = 'threadline'::pg_catalog.regnamespace, false);
    IF tl_users IS NOT NULL THEN
        RAISE EXCEPTION 'threadline: another version of the audit schema replaces its views and functions, and %; drop it before this migration and create it again after it', tl_users;
    END IF;
