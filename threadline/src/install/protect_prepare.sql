-- Gives the audit to an owner of its own, in three steps: roles are prepared; the schema threadline
-- is compared with the one that this version of Threadline installs; and the objects of the audit
-- change owners. The setting threadline.protect holds the request: {"version", "owner",
-- "applications": [], "readers": [], "suspenders": [], "purgers": [], "holders": [], "erasers": []}.
-- Run by an administrator, who need not trust functions that the application may have written: none
-- is called before the comparison.
DO $threadline_protect$
DECLARE
    tl_request jsonb := pg_catalog.current_setting('threadline.protect')::jsonb;
    tl_owner text := tl_request ->> 'owner';
    tl_role text;
    tl_version integer;
BEGIN
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    IF to_regnamespace('threadline') IS NULL THEN
        RAISE EXCEPTION 'threadline: there is no audit schema in database %; install it first, then protect it', current_database();
    END IF;
    FOR tl_role IN
        SELECT tl_owner UNION SELECT * FROM jsonb_array_elements_text(tl_request -> 'readers')
    LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = tl_role) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', tl_role);
        END IF;
    END LOOP;
    FOR tl_role IN
        SELECT * FROM jsonb_array_elements_text(tl_request -> 'applications')
        UNION SELECT * FROM jsonb_array_elements_text(tl_request -> 'suspenders')
        UNION SELECT * FROM jsonb_array_elements_text(tl_request -> 'purgers')
        UNION SELECT * FROM jsonb_array_elements_text(tl_request -> 'holders')
        UNION SELECT * FROM jsonb_array_elements_text(tl_request -> 'erasers')
    LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = tl_role) THEN
            RAISE EXCEPTION 'threadline: there is no role %; create it first, or check its name', quote_ident(tl_role);
        END IF;
    END LOOP;

    -- Since PostgreSQL 16, the creator of a role is its member, but may not act as it.
    PERFORM set_config('threadline.lent', '', true);
    IF NOT pg_has_role(tl_owner, CASE WHEN current_setting('server_version_num')::integer >= 160000 THEN 'SET' ELSE 'MEMBER' END) THEN
        EXECUTE format('GRANT %I TO %I', tl_owner, current_user);
        PERFORM set_config('threadline.lent', 'yes', true);
    END IF;

    IF NOT EXISTS (SELECT FROM pg_class AS c WHERE c.oid = to_regclass('threadline.schema_versions') AND c.relkind = 'r') THEN
        RAISE EXCEPTION 'threadline: schema threadline in database % has no table schema_versions; it was not installed by Threadline', current_database();
    END IF;
    tl_version := (SELECT max(p.version) FROM threadline.schema_versions AS p);
    IF tl_version IS DISTINCT FROM (tl_request ->> 'version')::integer THEN
        RAISE EXCEPTION 'threadline: the audit schema in database % is of version %, and this program of version %; %', current_database(), tl_version, tl_request ->> 'version',
            CASE WHEN tl_version > (tl_request ->> 'version')::integer THEN 'protect it with the program that installed it' ELSE 'bring it up to date first' END;
    END IF;
END
$threadline_protect$;
