-- Removes a table's own capture triggers, except those that its capture needs. A trigger that is
-- no longer needed is disabled and not dropped, because dropping it would block readers.
CREATE OR REPLACE FUNCTION threadline.drop_triggers(target regclass, but_of integer DEFAULT 0) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_trigger record;
BEGIN
    FOR tl_trigger IN
        SELECT g.tgname AS name, p.proname = 'capture_' || but_of AS own
        FROM pg_trigger AS g
        JOIN pg_proc AS p ON p.oid = g.tgfoid
        WHERE g.tgrelid = target AND g.tgparentid = 0
          AND p.pronamespace = 'threadline'::regnamespace AND p.proname ~ '^capture_[0-9]+$'
          AND g.tgname NOT IN (
              SELECT e.name FROM threadline.expected_triggers(but_of, target) AS e WHERE e.relation = target)
          AND (p.proname <> 'capture_' || but_of OR g.tgenabled <> 'D')
    LOOP
        EXECUTE format(CASE WHEN tl_trigger.own AND tl_trigger.name IN ('!threadline_capture_' || but_of, '!threadline_truncate_' || but_of)
            THEN 'ALTER TABLE %2$s DISABLE TRIGGER %1$I' ELSE 'DROP TRIGGER %1$I ON %2$s' END, tl_trigger.name, target);
    END LOOP;
END
$$;
