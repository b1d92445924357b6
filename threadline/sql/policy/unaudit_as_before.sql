-- Ends the audit of a table, for the down.sql of the migration that audits it first: as
-- threadline.unaudit(), but only under the name under which its audit began. Under another name,
-- the table was audited before that migration, and it stays audited.
CREATE OR REPLACE FUNCTION threadline.unaudit_as_before(target regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_name text[] := (
        SELECT ARRAY[n.nspname, c.relname]::text[] FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = target);
    tl_began_as text[];
BEGIN
    SELECT t.began_as INTO tl_began_as FROM threadline.audited_tables AS t WHERE t.id = threadline.audited_table_of(target);
    IF FOUND AND tl_began_as IS DISTINCT FROM tl_name THEN
        RAISE NOTICE 'threadline: table % was audited before, %, and stays audited; SELECT threadline.unaudit(''%'') ends that',
            target, format('as %I.%I', tl_began_as[1], tl_began_as[2]), target;
        RETURN;
    END IF;
    PERFORM threadline.unaudit(target);
END
$$;
