-- Returns the id under which a table is audited, or NULL. A table is identified by the capture
-- function that its own row trigger calls, which survives a rename, a change of schema, and a
-- dump and restore, also one without data. Not counted: a trigger that a partition has from its
-- parent, one that it kept when it was detached, and one that threadline.unaudit() disabled.
CREATE OR REPLACE FUNCTION threadline.audited_table_of(target regclass) RETURNS integer
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT known.id
    FROM threadline.known_table_of(target) AS known (id)
    WHERE NOT EXISTS (
        SELECT FROM threadline.audited_tables AS t WHERE t.id = known.id AND t.unaudited_at IS NOT NULL);
END;
