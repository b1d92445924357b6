-- Returns the faults of the audit itself: objects in its schema that were not installed or differ
-- from those installed and, where the schema has an owner that cannot log in, the other roles
-- that can write to it.
CREATE OR REPLACE FUNCTION threadline.audit_drift() RETURNS SETOF threadline.finding
LANGUAGE plpgsql STABLE
-- So that the audit's own objects are shown with their schema, too.
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
SET jit = off AS $$
DECLARE
    tl_owner oid := (SELECT n.nspowner FROM pg_namespace AS n WHERE n.nspname = 'threadline');
    tl_major integer := current_setting('server_version_num')::integer / 10000;
BEGIN
    IF NOT EXISTS (SELECT FROM threadline.installed_code) THEN
        RETURN NEXT ROW('audit-unchecked', 'threadline',
            'there is no record of the installed objects, so they were not compared; run `audit protect`, or review the schema and run as its owner:',
            'SELECT threadline.note_installed_code();')::threadline.finding;
    ELSE
        RETURN QUERY
        WITH differing AS MATERIALIZED (
            SELECT coalesce(there.object, known.object) AS object, known.object IS NULL AS is_foreign, there.object IS NULL AS is_missing
            FROM threadline.own_objects() AS there
            FULL JOIN threadline.installed_code AS known ON known.object = there.object
            WHERE there.object IS NULL OR known.object IS NULL OR there.digest <> known.digest
               OR (known.server_major = tl_major AND there.shown_digest IS DISTINCT FROM known.shown_digest)
        )
        SELECT 'audit-altered', 'threadline',
               format(CASE WHEN d.is_foreign THEN '%s was not installed by Threadline'
                           WHEN d.is_missing THEN '%s is missing'
                           ELSE '%s is not as it was installed' END, d.object),
               -- Somebody may need the rows of a table.
               CASE WHEN NOT d.is_foreign THEN NULL
                    WHEN d.object ~ '^table threadline[.]' THEN format('ALTER TABLE %s SET SCHEMA public;', substr(d.object, 7))
                    WHEN d.object ~ '^(function|procedure|aggregate|view|index|trigger|rule|policy|type|sequence|materialized view|operator) '
                    THEN format('DROP %s;', d.object) END
        FROM differing AS d
        -- What is attached to a foreign table goes with it.
        WHERE (d.is_foreign AND 'table ' || substring(d.object FROM ' on (threadline[.].*)$') IN (SELECT f.object FROM differing AS f WHERE f.is_foreign)) IS NOT true
        ORDER BY 3;
        IF EXISTS (SELECT FROM threadline.installed_code AS k WHERE k.server_major <> tl_major) THEN
            RETURN NEXT ROW('audit-unchecked', 'threadline',
                'views and functions in SQL were not compared with those that were installed, because the server''s major version changed; run `audit protect`, which compares and notes them, or, if the audit is not protected, run as its owner:',
                -- Noting them without a comparison would hide changes to a protected schema.
                CASE WHEN (SELECT r.rolcanlogin FROM pg_roles AS r WHERE r.oid = tl_owner)
                     THEN 'SELECT threadline.note_installed_code();' END)::threadline.finding;
        END IF;
    END IF;

    RETURN QUERY
    SELECT 'audit-altered', 'threadline',
           format('%s of its objects belong to role %s and not to %s, such as %s', count(*), o.owner::regrole, tl_owner::regrole, min(o.kind || ' ' || o.name)),
           min(format('ALTER %s %s OWNER TO %s;', upper(o.kind), o.name, tl_owner::regrole))
    FROM (
        SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'S' THEN 'sequence' ELSE 'table' END AS kind, c.oid::regclass::text AS name, c.relowner AS owner
        FROM pg_class AS c WHERE c.relnamespace = 'threadline'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'S')
        UNION ALL
        SELECT 'routine', p.oid::regprocedure::text, p.proowner FROM pg_proc AS p WHERE p.pronamespace = 'threadline'::regnamespace
    ) AS o
    WHERE o.owner <> tl_owner
    GROUP BY o.owner
    ORDER BY 3;
    RETURN QUERY
    SELECT 'audit-altered', 'threadline', format('event trigger %I does not fire', e.evtname), format('ALTER EVENT TRIGGER %I ENABLE ALWAYS;', e.evtname)
    FROM pg_event_trigger AS e
    WHERE e.evtname IN ('threadline_watch', 'threadline_watch_drops', 'threadline_watch_rewrites') AND (e.evtenabled IN ('D', 'R') OR e.evtfoid <> 'threadline.watch()'::regprocedure)
    ORDER BY 3;

    IF (SELECT r.rolcanlogin FROM pg_roles AS r WHERE r.oid = tl_owner) THEN
        IF NOT EXISTS (SELECT FROM pg_event_trigger AS e WHERE e.evtname = 'threadline_watch') THEN
            -- With one role for everything, the audit is open to that role, which is known.
            RETURN;
        END IF;
        -- It was protected, and then opened.
        RETURN NEXT ROW('audit-exposed', 'threadline', format('role %s owns the audit and can log in; run `audit protect` with an owner that cannot', tl_owner::regrole),
            -- A superuser that restored the audit must not lock itself out.
            CASE WHEN NOT (SELECT r.rolsuper FROM pg_roles AS r WHERE r.oid = tl_owner) THEN format('ALTER ROLE %s NOLOGIN;', tl_owner::regrole) END)::threadline.finding;
    END IF;
    RETURN QUERY
    SELECT 'audit-exposed', g.object, format('role %s may %s', g.role, string_agg(DISTINCT g.privilege, ', ')),
           format('REVOKE ALL ON %s %s FROM %s;', g.kind, g.object, g.role)
    FROM (
        SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind, c.oid::regclass::text AS object, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END AS role,
               a.grantee, a.privilege_type AS privilege
        FROM pg_class AS c
        CROSS JOIN LATERAL (
            SELECT * FROM aclexplode(c.relacl)
            UNION ALL
            SELECT x.* FROM pg_attribute AS f CROSS JOIN LATERAL aclexplode(f.attacl) AS x WHERE f.attrelid = c.oid
        ) AS a
        WHERE c.relnamespace = 'threadline'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'S')
          AND (a.privilege_type NOT IN ('SELECT', 'USAGE') OR (c.relkind = 'S' AND a.privilege_type = 'USAGE') OR c.relname = 'hash_keys')
        UNION ALL
        SELECT 'SCHEMA', 'threadline', CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END, a.grantee, a.privilege_type
        FROM pg_namespace AS n
        CROSS JOIN LATERAL aclexplode(n.nspacl) AS a
        WHERE n.nspname = 'threadline' AND a.privilege_type = 'CREATE'
        UNION ALL
        SELECT 'FUNCTION', p.oid::regprocedure::text, 'PUBLIC', 0, 'EXECUTE'
        FROM pg_proc AS p
        WHERE p.oid IN ('threadline.suspend(text, text, text, boolean)'::regprocedure, 'threadline.resume(text, text)'::regprocedure)
          AND EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a WHERE a.grantee = 0)
    ) AS g
    WHERE g.grantee <> tl_owner
    GROUP BY g.kind, g.object, g.role
    ORDER BY 2, 3;
    RETURN QUERY
    SELECT 'audit-exposed', 'threadline',
           format(CASE WHEN w.role = w.becomes THEN 'role %1$s %3$s' ELSE 'role %1$s can become %2$s, which %3$s' END, w.role::regrole, w.becomes::regrole, w.reason),
           CASE WHEN EXISTS (SELECT FROM pg_auth_members AS m WHERE m.member = w.role AND m.roleid = w.becomes) THEN format('REVOKE %s FROM %s;', w.becomes::regrole, w.role::regrole) END
    FROM threadline.ways_to_undo(ARRAY(
        -- The roles that write to audited tables, or decide how they are audited. A superuser
        -- that owns tables is not the application; one that became a superuser after being the
        -- application's role is.
        SELECT c.relowner
        FROM pg_trigger AS g
        JOIN pg_proc AS p ON p.oid = g.tgfoid AND p.pronamespace = 'threadline'::regnamespace AND g.tgname = '!threadline_' || p.proname
        JOIN pg_class AS c ON c.oid = g.tgrelid
        JOIN pg_roles AS r ON r.oid = c.relowner AND NOT r.rolsuper
        UNION
        SELECT a.grantee
        FROM pg_proc AS p
        CROSS JOIN LATERAL aclexplode(p.proacl) AS a
        WHERE p.oid = to_regproc('threadline.write_policy') AND a.grantee NOT IN (0, tl_owner)), tl_owner) AS w
    ORDER BY 3;
END
$$;
COMMENT ON FUNCTION threadline.audit_drift() IS
    'Faults of the audit itself: unknown or altered objects in its schema, and roles that can write to it';
