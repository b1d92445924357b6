-- The id under which a table is audited, or NULL. A table is known by the
-- capture function that its own row trigger calls, which survives a rename, a
-- change of schema, and a dump and restore, also one without data. A trigger
-- that a partition has from its parent does not count, nor one that it kept
-- when it was detached.
CREATE FUNCTION threadline.audited_table_of(target regclass) RETURNS integer
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT substring(p.proname FROM '^capture_([0-9]{1,9})$')::integer
    FROM pg_trigger AS g
    JOIN pg_proc AS p ON p.oid = g.tgfoid AND p.pronamespace = 'threadline'::regnamespace
    WHERE g.tgrelid = target
      AND g.tgparentid = 0
      AND g.tgname = '!threadline_' || p.proname
      AND p.proname ~ '^capture_[0-9]{1,9}$';
END;
