    -- New objects belong to the owner of the schema; views stay as readable as they were.
    FOR tl_object IN
        SELECT pg_catalog.format('ALTER VIEW threadline.%I OWNER TO %s', c.relname, n.nspowner::pg_catalog.regrole) AS what
        FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname = 'threadline'
        WHERE c.relkind = 'v' AND c.relowner <> n.nspowner
        UNION ALL
        SELECT pg_catalog.format('ALTER TYPE threadline.%I OWNER TO %s', c.relname, n.nspowner::pg_catalog.regrole)
        FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname = 'threadline'
        WHERE c.relkind = 'c' AND c.relowner <> n.nspowner
        UNION ALL
        SELECT pg_catalog.format('ALTER ROUTINE threadline.%I(%s) OWNER TO %s', p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid), n.nspowner::pg_catalog.regrole)
        FROM pg_catalog.pg_proc AS p
        JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace AND n.nspname = 'threadline'
        WHERE p.proowner <> n.nspowner
        UNION ALL
        SELECT pg_catalog.format('GRANT %s ON threadline.%I TO %s', g.privilege, g.name, g.grantee)
        FROM pg_catalog.jsonb_to_recordset(tl_grants) AS g (name text, privilege text, grantee text)
        JOIN pg_catalog.pg_class AS c ON c.relnamespace = 'threadline'::pg_catalog.regnamespace AND c.relname = g.name
    LOOP
        EXECUTE tl_object.what;
    END LOOP;
    PERFORM threadline.rebuild_captures();
    PERFORM threadline.note_installed_code();
