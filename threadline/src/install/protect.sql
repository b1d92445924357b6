-- Gives the audit to an owner of its own. What is wished stands in the setting
-- threadline.protect: {"owner", "applications": [], "readers": [], "suspenders": []}.
-- Run by an administrator, who need trust no function that the application may
-- have written: everything that happens is here.
DO $threadline_protect$
DECLARE
    tl_wish jsonb := pg_catalog.current_setting('threadline.protect')::jsonb;
    tl_owner text := tl_wish ->> 'owner';
    tl_role text;
    tl_problem text;
    tl_object record;
    tl_own_functions text[] := ARRAY[
        'threadline.lock_policies', 'threadline.write_policy', 'threadline.note_condition', 'threadline.note_absent', 'threadline.end_audit', 'threadline.record_action', 'threadline.post', 'threadline.post_if_much',
        'threadline.token_keys_stand', 'threadline.set_sequence'];
    tl_lent boolean;
BEGIN
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    IF to_regnamespace('threadline') IS NULL THEN
        RAISE EXCEPTION 'threadline: there is no audit schema in database %; install it first, then protect it', current_database();
    END IF;

    FOR tl_role IN
        SELECT tl_owner UNION SELECT * FROM jsonb_array_elements_text(tl_wish -> 'readers')
    LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = tl_role) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', tl_role);
        END IF;
    END LOOP;
    FOR tl_role IN
        SELECT * FROM jsonb_array_elements_text(tl_wish -> 'applications')
        UNION SELECT * FROM jsonb_array_elements_text(tl_wish -> 'suspenders')
    LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = tl_role) THEN
            RAISE EXCEPTION 'threadline: there is no role %; create it first, or check its name', quote_ident(tl_role);
        END IF;
    END LOOP;

    -- A protection that its subject can undo is none.
    SELECT CASE
        WHEN rolsuper THEN format('the owner %I is a superuser; name a role that is there for the audit alone', rolname)
        WHEN rolcanlogin THEN format('the owner %1$I can log in; nobody should: ALTER ROLE %1$I NOLOGIN', rolname) END
    INTO tl_problem
    FROM pg_roles WHERE rolname = tl_owner;
    SELECT coalesce(tl_problem, min(CASE
        WHEN a.rolname = tl_owner THEN format('%I cannot own the audit and be watched by it', a.rolname)
        WHEN a.rolsuper THEN format('%I is a superuser, to whom nothing is forbidden; let the application log in as another role', a.rolname)
        WHEN a.rolcreaterole THEN format('%1$I may create roles, and so make itself the owner: ALTER ROLE %1$I NOCREATEROLE', a.rolname)
        WHEN pg_has_role(a.oid, o.oid, 'MEMBER') THEN format('%1$I is a member of %2$I: REVOKE %2$I FROM %1$I', a.rolname, o.rolname)
    END))
    INTO tl_problem
    FROM pg_roles AS a
    JOIN pg_roles AS o ON o.rolname = tl_owner
    WHERE a.rolname IN (
        SELECT * FROM jsonb_array_elements_text(tl_wish -> 'applications')
        UNION SELECT * FROM jsonb_array_elements_text(tl_wish -> 'readers'));
    IF tl_problem IS NOT NULL THEN
        RAISE EXCEPTION 'threadline: %', tl_problem;
    END IF;

    -- Since PostgreSQL 16, who creates a role is its member, and yet may not act as it.
    tl_lent := NOT pg_has_role(tl_owner, CASE WHEN current_setting('server_version_num')::integer >= 160000 THEN 'SET' ELSE 'MEMBER' END);
    IF tl_lent THEN
        EXECUTE format('GRANT %I TO %I', tl_owner, current_user);
    END IF;
    IF to_regproc('threadline.write_policy') IS NULL OR to_regproc('threadline.suspend') IS NULL THEN
        RAISE EXCEPTION 'threadline: the audit schema in database % is of an older version; bring it up to date first', current_database();
    END IF;
    -- So that TRUNCATE of a table with row-level security is recorded in full, and
    -- no policy of the application runs with the rights of the owner.
    IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
       AND NOT (SELECT rolbypassrls FROM pg_roles WHERE rolname = tl_owner) THEN
        EXECUTE format('ALTER ROLE %I BYPASSRLS', tl_owner);
    END IF;

    EXECUTE format('ALTER SCHEMA threadline OWNER TO %I', tl_owner);
    FOR tl_object IN
        SELECT format('%s %s', CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END, c.oid::regclass) AS name
        FROM pg_class AS c
        WHERE c.relnamespace = 'threadline'::regnamespace AND c.relkind IN ('r', 'p', 'v')
        UNION ALL
        SELECT format('ROUTINE %s', p.oid::regprocedure) FROM pg_proc AS p WHERE p.pronamespace = 'threadline'::regnamespace
        UNION ALL
        SELECT format('TYPE %s', t.oid::regtype)
        FROM pg_type AS t JOIN pg_class AS c ON c.oid = t.typrelid AND c.relkind = 'c'
        WHERE t.typnamespace = 'threadline'::regnamespace
    LOOP
        EXECUTE format('ALTER %s OWNER TO %I', tl_object.name, tl_owner);
    END LOOP;

    -- Who could write, cannot any more; who was let read, still can.
    EXECUTE 'REVOKE EXECUTE ON ALL ROUTINES IN SCHEMA threadline FROM PUBLIC';
    FOR tl_object IN
        SELECT DISTINCT CASE given.grantee WHEN 0 THEN 'PUBLIC' ELSE given.grantee::regrole::text END AS role
        FROM (
            SELECT a.grantee FROM pg_class AS c CROSS JOIN LATERAL aclexplode(c.relacl) AS a
            WHERE c.relnamespace = 'threadline'::regnamespace
            UNION
            SELECT a.grantee FROM pg_attribute AS c CROSS JOIN LATERAL aclexplode(c.attacl) AS a
            WHERE c.attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'threadline'::regnamespace)
            UNION
            SELECT a.grantee FROM pg_namespace AS n CROSS JOIN LATERAL aclexplode(n.nspacl) AS a WHERE n.nspname = 'threadline'
            UNION
            SELECT a.grantee FROM pg_proc AS p CROSS JOIN LATERAL aclexplode(p.proacl) AS a
            WHERE p.pronamespace = 'threadline'::regnamespace
        ) AS given
        WHERE given.grantee <> (SELECT oid FROM pg_roles WHERE rolname = tl_owner)
    LOOP
        EXECUTE format('REVOKE INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON ALL TABLES IN SCHEMA threadline FROM %s CASCADE', tl_object.role);
        EXECUTE format('REVOKE ALL ON ALL SEQUENCES IN SCHEMA threadline FROM %s CASCADE', tl_object.role);
        EXECUTE format('REVOKE CREATE ON SCHEMA threadline FROM %s CASCADE', tl_object.role);
        EXECUTE format('REVOKE ALL ON threadline.token_keys FROM %s CASCADE', tl_object.role);
    END LOOP;

    FOR tl_role IN
        SELECT * FROM jsonb_array_elements_text(tl_wish -> 'applications')
        UNION SELECT * FROM jsonb_array_elements_text(tl_wish -> 'readers')
        UNION SELECT * FROM jsonb_array_elements_text(tl_wish -> 'suspenders')
    LOOP
        EXECUTE format('GRANT USAGE ON SCHEMA threadline TO %I', tl_role);
        -- What runs with the caller's own rights gives nobody any.
        FOR tl_object IN
            SELECT p.oid::regprocedure AS name FROM pg_proc AS p
            WHERE p.pronamespace = 'threadline'::regnamespace AND NOT p.prosecdef
        LOOP
            EXECUTE format('GRANT EXECUTE ON ROUTINE %s TO %I', tl_object.name, tl_role);
        END LOOP;
    END LOOP;
    FOR tl_role IN SELECT * FROM jsonb_array_elements_text(tl_wish -> 'applications') LOOP
        EXECUTE format('GRANT SELECT ON threadline.schema_versions, threadline.audited_tables TO %I', tl_role);
        FOR tl_object IN
            SELECT p.oid::regprocedure AS name FROM pg_proc AS p
            WHERE p.pronamespace = 'threadline'::regnamespace AND 'threadline.' || p.proname = ANY (tl_own_functions)
        LOOP
            EXECUTE format('GRANT EXECUTE ON ROUTINE %s TO %I', tl_object.name, tl_role);
        END LOOP;
    END LOOP;
    FOR tl_role IN SELECT * FROM jsonb_array_elements_text(tl_wish -> 'readers') LOOP
        -- So that what a reader asks for is quick to find.
        EXECUTE format('GRANT EXECUTE ON FUNCTION threadline.post(integer), threadline.post_if_much() TO %I', tl_role);
        EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA threadline TO %I', tl_role);
        -- Who has a key can try values until one gives the token.
        EXECUTE format('REVOKE ALL ON threadline.token_keys FROM %I', tl_role);
    END LOOP;
    FOR tl_role IN SELECT * FROM jsonb_array_elements_text(tl_wish -> 'suspenders') LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION threadline.suspend(text, text, text, boolean), threadline.resume(text, text) TO %I', tl_role);
    END LOOP;

    -- What threadline.audit() gives from now on, the tables that are audited get now.
    FOR tl_object IN
        SELECT c.oid::regclass AS name, c.relnamespace::regnamespace AS schema,
               substring(p.proname FROM '[0-9]+')::integer AS audited_table
        FROM pg_trigger AS g
        JOIN pg_proc AS p ON p.oid = g.tgfoid AND p.pronamespace = 'threadline'::regnamespace
        JOIN pg_class AS c ON c.oid = g.tgrelid
        WHERE g.tgname = '!threadline_' || p.proname AND g.tgparentid = 0
    LOOP
        IF NOT has_schema_privilege(tl_owner, tl_object.schema, 'USAGE') THEN
            EXECUTE format('GRANT USAGE ON SCHEMA %s TO %I', tl_object.schema, tl_owner);
        END IF;
        -- It records what happens to its own table, whoever has a trigger call it.
        EXECUTE format('GRANT EXECUTE ON FUNCTION threadline.capture_%s() TO PUBLIC', tl_object.audited_table);
        FOR tl_role IN
            SELECT tl_object.name::text
            UNION
            SELECT p.relid::text FROM pg_partition_tree(tl_object.name) AS p
            JOIN pg_class AS c ON c.oid = p.relid WHERE c.relkind IN ('r', 'p')
        LOOP
            IF NOT has_table_privilege(tl_owner, tl_role, 'SELECT') THEN
                EXECUTE format('GRANT SELECT ON %s TO %I', tl_role, tl_owner);
            END IF;
        END LOOP;
    END LOOP;
    IF tl_lent THEN
        EXECUTE format('REVOKE %I FROM %I', tl_owner, current_user);
    END IF;
END
$threadline_protect$;
