-- Fires capture on a table and its partitions, anew where it did.
CREATE FUNCTION threadline.install_triggers(audited_table integer, target regclass) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
SET standard_conforming_strings = on
AS $$
DECLARE
    tl_trigger record;
BEGIN
    FOR tl_trigger IN
        SELECT e.*
        FROM threadline.expected_triggers(audited_table, target, threadline.captures_by_statement(audited_table, target)) AS e
        WHERE NOT e.inherited
    LOOP
        EXECUTE regexp_replace(tl_trigger.definition, '^CREATE', 'CREATE OR REPLACE');
        EXECUTE format('ALTER TABLE %s ENABLE %s TRIGGER %I', tl_trigger.relation,
            CASE tl_trigger.fires WHEN 'A' THEN 'ALWAYS' WHEN 'R' THEN 'REPLICA' END, tl_trigger.name);
    END LOOP;
END
$$;
