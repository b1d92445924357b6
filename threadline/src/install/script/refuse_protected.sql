    SELECT pg_catalog.string_agg(pg_catalog.format('DROP EVENT TRIGGER %I', e.evtname), '; ' ORDER BY e.evtname)
    INTO tl_users
    FROM pg_catalog.pg_event_trigger AS e
    JOIN pg_catalog.pg_proc AS p ON p.oid = e.evtfoid
    WHERE p.pronamespace = 'threadline'::pg_catalog.regnamespace;
    IF tl_users IS NOT NULL THEN
        RAISE EXCEPTION 'threadline: the audit is protected, and this migration removes it with its history; nothing is changed. To keep it, run the migrations that were reverted before this one again: they audit their tables. To remove it, run this as a superuser, and then revert this migration as a superuser: %', tl_users;
    END IF;
