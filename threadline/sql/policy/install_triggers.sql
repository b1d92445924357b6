-- Fires capture on a table and its partitions. What is there as it should be is left
-- alone, and with it the lock that making it would take.
CREATE FUNCTION threadline.install_triggers(audited_table integer, target regclass, condition text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off
SET standard_conforming_strings = on
AS $$
DECLARE
    tl_trigger record;
BEGIN
    FOR tl_trigger IN
        SELECT e.*, g.tgenabled,
               -- Those of partitions come with the table's own.
               bool_or(pg_get_triggerdef(g.oid) IS DISTINCT FROM e.definition) OVER (PARTITION BY e.name, e.name ~ 'truncate' AND e.relation <> target) AS differs
        FROM threadline.expected_triggers(audited_table, target, condition) AS e
        LEFT JOIN pg_trigger AS g ON g.tgrelid = e.relation AND g.tgname = e.name
        ORDER BY e.inherited
    LOOP
        IF tl_trigger.differs AND NOT tl_trigger.inherited THEN
            EXECUTE regexp_replace(tl_trigger.definition, '^CREATE', 'CREATE OR REPLACE');
        END IF;
        IF tl_trigger.differs OR tl_trigger.tgenabled <> 'A' THEN
            EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', tl_trigger.relation, tl_trigger.name);
        END IF;
    END LOOP;
END
$$;
