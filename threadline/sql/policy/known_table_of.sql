-- The id under which a table is or was audited, by its row trigger; NULL if it has none,
-- or that of another table, by a copy of its schema or by hand.
CREATE FUNCTION threadline.known_table_of(target regclass) RETURNS integer
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT known.id
    FROM pg_trigger AS g
    JOIN pg_proc AS p ON p.oid = g.tgfoid AND p.pronamespace = 'threadline'::regnamespace
    CROSS JOIN LATERAL (SELECT substring(p.proname FROM '^capture_([0-9]{1,9})$')::integer AS id) AS known
    WHERE g.tgrelid = target
      AND g.tgparentid = 0
      AND g.tgname = '!threadline_' || p.proname
      AND threadline.captured_relation(known.id, 0) = target;
END;
