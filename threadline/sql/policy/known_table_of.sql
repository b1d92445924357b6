-- Returns the id under which a table is or was audited, by its row trigger; NULL if it has no
-- such trigger, or that of another table, by a copy of its schema or by hand.
CREATE OR REPLACE FUNCTION threadline.known_table_of(target regclass) RETURNS integer
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
BEGIN
    RETURN (
        SELECT known.id
        FROM (
            SELECT substring(p.proname FROM '^capture_([0-9]{1,9})$')::integer AS id
            FROM pg_trigger AS g
            JOIN pg_proc AS p ON p.oid = g.tgfoid AND p.pronamespace = 'threadline'::regnamespace
            WHERE g.tgrelid = target
              AND g.tgparentid = 0
              AND g.tgname = '!threadline_' || p.proname
            -- Otherwise PostgreSQL evaluates the next condition for every function of the schema.
            OFFSET 0
        ) AS known
        WHERE threadline.captured_relation(known.id, 0) = target);
END
$$;
