-- Returns those of the given roles that can become a role which can undo the protection of the
-- audit, and that role: the role itself or, through memberships, the owner of the audit, a
-- superuser, a role that may create roles and so grant itself others, or one that writes every
-- table or on the server. A membership counts if it lets the member act, inherit or grant.
CREATE OR REPLACE FUNCTION threadline.ways_to_undo(roles oid[], owner oid, OUT role oid, OUT becomes oid, OUT reason text) RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    WITH RECURSIVE reach AS (
        SELECT r.oid AS role, r.oid AS becomes FROM pg_roles AS r WHERE r.oid = ANY (roles)
        UNION
        SELECT reach.role, step.role
        FROM reach
        CROSS JOIN LATERAL (
            SELECT m.roleid AS role
            FROM pg_auth_members AS m
            -- Options that PostgreSQL 15 does not have yet.
            WHERE m.member = reach.becomes AND (m.admin_option
                OR coalesce((to_jsonb(m) ->> 'set_option')::boolean, true) OR coalesce((to_jsonb(m) ->> 'inherit_option')::boolean, true))
            UNION ALL
            -- The database's owner is an implicit member, without a row in pg_auth_members.
            SELECT r.oid FROM pg_database AS d JOIN pg_roles AS r ON r.rolname = 'pg_database_owner' WHERE d.datname = current_database() AND d.datdba = reach.becomes
        ) AS step
    )
    SELECT reach.role, reach.becomes, CASE
        WHEN reach.becomes = owner THEN format('owns the audit')
        WHEN r.rolsuper THEN 'is a superuser, to whom nothing is forbidden'
        WHEN r.rolcreaterole THEN 'may create roles, and grant itself others'
        WHEN r.rolname = 'pg_write_all_data' THEN 'writes every table'
        WHEN r.rolname = 'pg_read_server_files' THEN 'reads the files of the server, and so the passwords of roles'
        ELSE 'acts on the server as PostgreSQL does' END
    FROM reach
    JOIN pg_roles AS r ON r.oid = reach.becomes
    WHERE reach.becomes = owner OR r.rolsuper OR r.rolcreaterole
       OR r.rolname IN ('pg_write_all_data', 'pg_execute_server_program', 'pg_write_server_files', 'pg_read_server_files');
END;
