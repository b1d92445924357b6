-- The last step: the schema is the one that Threadline installs, and its functions may be called.
DO $threadline_protect$
DECLARE
    tl_request jsonb := pg_catalog.current_setting('threadline.protect')::jsonb;
    tl_owner text := tl_request ->> 'owner';
    tl_role text;
    tl_problem text;
    tl_outdated text;
    tl_object record;
    tl_own_functions text[] := ARRAY[
        'threadline.lock_policies', 'threadline.write_policy', 'threadline.set_terms', 'threadline.give_history', 'threadline.record_replacement', 'threadline.note_condition', 'threadline.note_absent', 'threadline.withhold_columns', 'threadline.present_name', 'threadline.ask_about_renamed', 'threadline.end_audit', 'threadline.record_action', 'threadline.post', 'threadline.post_if_much',
        'threadline.hash_keys_match', 'threadline.columns_noted', 'threadline.set_sequences', 'threadline.counters', 'threadline.in_force_until'];
    tl_privileged jsonb := '{
        "suspenders": "threadline.suspend(text, text, text, boolean), threadline.resume(text, text)",
        "readers": "threadline.unmask(text, text, text)",
        "purgers": "threadline.purge(integer)",
        "holders": "threadline.hold(text, regclass, text, text, text, text), threadline.release(bigint, text)",
        "erasers": "threadline.begin_erasure(regclass, text, text, text[], text, text, bigint[]), threadline.erase(bigint, integer), threadline.texts_left(bigint)"}';
    tl_administrator regrole := current_user::regrole;
BEGIN
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    -- A protection that the application can undo protects nothing.
    SELECT CASE
        WHEN rolname ~ '^pg_' THEN format('the owner %I is a role of PostgreSQL; name one that is there for the audit alone', rolname)
        WHEN rolsuper THEN format('the owner %I is a superuser; name a role that is there for the audit alone', rolname)
        WHEN rolcanlogin THEN format('the owner %1$I can log in; nobody should: ALTER ROLE %1$I NOLOGIN', rolname) END
    INTO tl_problem
    FROM pg_roles WHERE rolname = tl_owner;
    SELECT coalesce(tl_problem, min(CASE
        WHEN a.rolname = tl_owner THEN format('%I cannot own the audit and be watched by it', a.rolname)
        WHEN w.role = w.becomes AND a.rolsuper THEN format('%I is a superuser, to whom nothing is forbidden; let the application log in as another role', a.rolname)
        WHEN w.role = w.becomes THEN format('%1$I may create roles, and so make itself the owner: ALTER ROLE %1$I NOCREATEROLE', a.rolname)
        WHEN NOT EXISTS (SELECT FROM pg_auth_members AS m WHERE m.member = w.role AND m.roleid = w.becomes)
            THEN format('%I can become %I through roles that it is a member of, and that one %s; take it out of them', a.rolname, b.rolname, w.reason)
        WHEN b.rolname = tl_owner THEN format('%1$I is a member of %2$I: REVOKE %2$I FROM %1$I', a.rolname, b.rolname)
        ELSE format('%1$I is a member of %2$I, which %3$s: REVOKE %2$I FROM %1$I', a.rolname, b.rolname, w.reason)
    END))
    INTO tl_problem
    FROM threadline.ways_to_undo(
        ARRAY(
            SELECT r.oid FROM pg_roles AS r
            WHERE r.rolname IN (
                SELECT * FROM jsonb_array_elements_text(tl_request -> 'applications')
                UNION SELECT * FROM jsonb_array_elements_text(tl_request -> 'readers'))),
        (SELECT r.oid FROM pg_roles AS r WHERE r.rolname = tl_owner)) AS w
    JOIN pg_roles AS a ON a.oid = w.role
    JOIN pg_roles AS b ON b.oid = w.becomes;
    IF tl_problem IS NOT NULL THEN
        RAISE EXCEPTION 'threadline: %', tl_problem;
    END IF;

    -- So that TRUNCATE of a table with row-level security is recorded in full, and no policy of
    -- the application runs with the rights of the owner.
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

    -- Each capture function depends on its table. One whose table is gone, or not audited, has
    -- nothing to record; threadline.audit() writes it anew.
    FOR tl_object IN
        SELECT p.oid::regprocedure AS name, t.id, at.relation, t.unaudited_at IS NULL AND EXISTS (
                   SELECT FROM pg_trigger AS g WHERE g.tgrelid = at.relation AND g.tgfoid = p.oid) AS is_used
        FROM pg_proc AS p
        LEFT JOIN threadline.audited_tables AS t ON 'capture_' || t.id = p.proname
        LEFT JOIN LATERAL (SELECT threadline.locate_table(t.id) AS relation) AS at ON true
        WHERE p.pronamespace = 'threadline'::regnamespace AND p.proname ~ '^capture_[0-9]{1,9}$'
          AND p.pronargs = 0 AND p.prorettype = 'trigger'::regtype
        ORDER BY t.id, p.proname
    LOOP
        IF tl_object.id IS NULL THEN
            tl_problem := concat_ws(E'\n', tl_problem, format(
                '  function %s belongs to no table on record; drop it, or say with threadline.audit() what is decided for the table whose trigger calls it', tl_object.name));
        ELSIF NOT tl_object.is_used THEN
            EXECUTE format('CREATE OR REPLACE FUNCTION %s RETURNS trigger LANGUAGE plpgsql AS %L', tl_object.name, 'BEGIN RETURN NULL; END');
        ELSIF NOT EXISTS (SELECT FROM threadline.function_drift(tl_object.id, tl_object.relation)) THEN
            CONTINUE;
        ELSIF EXISTS (SELECT FROM threadline.column_drift(tl_object.id, tl_object.relation) AS d WHERE d.code <> 'table-restored') THEN
            tl_outdated := concat_ws(E'\n', tl_outdated, format('  SELECT threadline.refresh(%L);', tl_object.relation::text));
        ELSE
            tl_problem := concat_ws(E'\n', tl_problem, format(
                '  function %s is not what Threadline writes for %s; run SELECT threadline.refresh(%L)', tl_object.name, tl_object.relation, tl_object.relation::text));
        END IF;
    END LOOP;
    IF tl_problem IS NOT NULL THEN
        RAISE EXCEPTION E'threadline: these functions differ from those that Threadline writes, and would keep working under the new owner:\n%', tl_problem;
    ELSIF tl_outdated IS NOT NULL THEN
        RAISE EXCEPTION E'threadline: the columns or keys of some tables changed since their capture functions were built, so the functions cannot be compared with what Threadline writes; rebuild them, and protect the audit again:\n%', tl_outdated;
    END IF;
    PERFORM threadline.note_installed_code();

    -- Roles that could write no longer can; roles with read access keep it.
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
        -- PostgreSQL 17 and newer know MAINTAIN; older versions reject the word.
        IF current_setting('server_version_num')::int >= 170000 THEN
            EXECUTE format('REVOKE MAINTAIN ON ALL TABLES IN SCHEMA threadline FROM %s CASCADE', tl_object.role);
        END IF;
        EXECUTE format('REVOKE ALL ON ALL SEQUENCES IN SCHEMA threadline FROM %s CASCADE', tl_object.role);
        EXECUTE format('REVOKE CREATE ON SCHEMA threadline FROM %s CASCADE', tl_object.role);
        EXECUTE format('REVOKE ALL ON threadline.hash_keys FROM %s CASCADE', tl_object.role);
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM %s CASCADE',
            (SELECT string_agg(p.value, ', ') FROM jsonb_each_text(tl_privileged) AS p), tl_object.role);
    END LOOP;

    FOR tl_role IN
        SELECT DISTINCT r.name
        FROM unnest('{applications,readers,suspenders,purgers,holders,erasers}'::text[]) AS kind
        CROSS JOIN LATERAL jsonb_array_elements_text(tl_request -> kind) AS r (name)
    LOOP
        EXECUTE format('GRANT USAGE ON SCHEMA threadline TO %I', tl_role);
        -- Functions that run with the caller's own rights grant none.
        FOR tl_object IN
            SELECT p.oid::regprocedure AS name FROM pg_proc AS p
            WHERE p.pronamespace = 'threadline'::regnamespace AND NOT p.prosecdef
        LOOP
            EXECUTE format('GRANT EXECUTE ON ROUTINE %s TO %I', tl_object.name, tl_role);
        END LOOP;
    END LOOP;
    FOR tl_role IN SELECT * FROM jsonb_array_elements_text(tl_request -> 'applications') LOOP
        EXECUTE format('GRANT SELECT ON threadline.schema_versions, threadline.audited_tables TO %I', tl_role);
        FOR tl_object IN
            SELECT p.oid::regprocedure AS name FROM pg_proc AS p
            WHERE p.pronamespace = 'threadline'::regnamespace AND 'threadline.' || p.proname = ANY (tl_own_functions)
        LOOP
            EXECUTE format('GRANT EXECUTE ON ROUTINE %s TO %I', tl_object.name, tl_role);
        END LOOP;
    END LOOP;
    FOR tl_object IN
        SELECT p.key AS kind, p.value AS functions, r.name AS role
        FROM jsonb_each_text(tl_privileged) AS p
        CROSS JOIN LATERAL jsonb_array_elements_text(tl_request -> p.key) AS r (name)
    LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', tl_object.functions, tl_object.role);
        IF tl_object.kind <> 'suspenders' THEN
            EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA threadline TO %I', tl_object.role);
            -- With a key, values can be guessed until one gives the hash.
            EXECUTE format('REVOKE ALL ON threadline.hash_keys FROM %I', tl_object.role);
        END IF;
        -- So that readers find records quickly.
        IF tl_object.kind = 'readers' THEN
            EXECUTE format('GRANT EXECUTE ON FUNCTION threadline.post(integer), threadline.post_if_much(), threadline.counters(), threadline.in_force_until(integer, jsonb) TO %I', tl_object.role);
            EXECUTE format('GRANT SELECT ON ALL SEQUENCES IN SCHEMA threadline TO %I', tl_object.role);
        ELSIF tl_object.kind = 'erasers' THEN
            EXECUTE format('GRANT EXECUTE ON FUNCTION threadline.post(integer) TO %I', tl_object.role);
        END IF;
    END LOOP;

    -- Tables that are audited already get the grants that threadline.audit() gives from now on.
    FOR tl_object IN
        SELECT c.oid::regclass AS name, c.relnamespace::regnamespace AS schema,
               substring(p.proname FROM '[0-9]+')::integer AS audited_table
        FROM pg_trigger AS g
        JOIN pg_proc AS p ON p.oid = g.tgfoid AND p.pronamespace = 'threadline'::regnamespace
        JOIN pg_class AS c ON c.oid = g.tgrelid
        WHERE g.tgname = '!threadline_' || p.proname AND g.tgparentid = 0
    LOOP
        FOR tl_role IN
            SELECT tl_owner
            UNION ALL
            -- To find the table by its name; reading it is for its owner to allow.
            SELECT * FROM jsonb_array_elements_text(tl_request -> 'readers')
        LOOP
            IF NOT has_schema_privilege(tl_role, tl_object.schema, 'USAGE') THEN
                EXECUTE format('GRANT USAGE ON SCHEMA %s TO %I', tl_object.schema, tl_role);
            END IF;
        END LOOP;
        -- It records only changes of its own table, whichever role's trigger calls it.
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

    -- If a table's owner changes its triggers and restores them, an action remains.
    DELETE FROM threadline.watched_partitions;
    INSERT INTO threadline.watched_partitions (part, table_id)
    SELECT p.relid, t.id
    FROM threadline.audited_tables AS t
    CROSS JOIN LATERAL (SELECT threadline.locate_table(t.id) AS relation) AS at
    CROSS JOIN LATERAL pg_partition_tree(at.relation) AS p
    WHERE t.unaudited_at IS NULL AND p.relid <> at.relation
    ON CONFLICT DO NOTHING;
    BEGIN
        IF NOT EXISTS (SELECT FROM pg_event_trigger AS e WHERE e.evtname = 'threadline_watch') THEN
            CREATE EVENT TRIGGER threadline_watch ON ddl_command_end
                WHEN TAG IN ('ALTER TABLE', 'ALTER TRIGGER', 'CREATE TABLE', 'CREATE TRIGGER')
                EXECUTE FUNCTION threadline.watch();
        END IF;
        IF NOT EXISTS (SELECT FROM pg_event_trigger AS e WHERE e.evtname = 'threadline_watch_drops') THEN
            CREATE EVENT TRIGGER threadline_watch_drops ON sql_drop EXECUTE FUNCTION threadline.watch();
        END IF;
        IF NOT EXISTS (SELECT FROM pg_event_trigger AS e WHERE e.evtname = 'threadline_watch_rewrites') THEN
            CREATE EVENT TRIGGER threadline_watch_rewrites ON table_rewrite EXECUTE FUNCTION threadline.watch();
        END IF;
        ALTER EVENT TRIGGER threadline_watch_rewrites ENABLE ALWAYS;
        ALTER EVENT TRIGGER threadline_watch ENABLE ALWAYS;
        ALTER EVENT TRIGGER threadline_watch_drops ENABLE ALWAYS;
    EXCEPTION WHEN insufficient_privilege THEN
        RAISE WARNING 'threadline: role % may not create event triggers: if a table''s owner disables triggers and enables them again, no action is recorded; `audit verify` still compares histories with rows', tl_administrator;
    END;
    IF current_setting('threadline.lent') <> '' THEN
        EXECUTE format('REVOKE %I FROM %I', tl_owner, current_user);
    END IF;
END
$threadline_protect$;
