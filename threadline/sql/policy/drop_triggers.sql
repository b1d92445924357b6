-- Takes a table's own capture triggers away, but those of one function.
CREATE FUNCTION threadline.drop_triggers(target regclass, but_of integer DEFAULT NULL) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_name name;
BEGIN
    FOR tl_name IN
        SELECT g.tgname
        FROM pg_trigger AS g
        JOIN pg_proc AS p ON p.oid = g.tgfoid
        WHERE g.tgrelid = target AND g.tgparentid = 0
          AND p.pronamespace = 'threadline'::regnamespace AND p.proname ~ '^capture_[0-9]+$'
          AND g.tgname NOT IN (
              SELECT e.name FROM threadline.expected_triggers(but_of, target) AS e WHERE e.relation = target)
    LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', tl_name, target);
    END LOOP;
END
$$;
