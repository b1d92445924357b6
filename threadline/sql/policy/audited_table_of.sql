-- The id under which a table is audited, or NULL. A table is known by the
-- capture function that its trigger calls, which survives a rename, a change
-- of schema, and a dump and restore.
CREATE FUNCTION threadline.audited_table_of(target regclass) RETURNS integer
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT t.id
    FROM pg_trigger AS g
    JOIN pg_proc AS p ON p.oid = g.tgfoid AND p.pronamespace = 'threadline'::regnamespace
    JOIN threadline.audited_tables AS t ON p.proname = 'capture_' || t.id
    WHERE g.tgrelid = target AND NOT g.tgisinternal
    LIMIT 1;
END;
