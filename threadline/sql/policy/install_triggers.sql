-- Creates the capture triggers of a table and its partitions. Matching triggers are kept, which
-- avoids the lock for creating them.
CREATE OR REPLACE FUNCTION threadline.install_triggers(audited_table integer, target regclass, condition text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off
SET standard_conforming_strings = on AS $$
DECLARE
    tl_trigger record;
    tl_condition text := coalesce((SELECT t.deparsed_condition FROM threadline.audited_tables AS t WHERE t.id = audited_table), condition);
    tl_owner regrole := (SELECT c.relowner FROM pg_class AS c WHERE c.oid = target);
BEGIN
    PERFORM threadline.check_condition(target, tl_condition);
    FOR tl_trigger IN
        SELECT e.*
        FROM threadline.expected_triggers(audited_table, target, condition) AS e
        LEFT JOIN pg_trigger AS g ON g.tgrelid = e.relation AND g.tgname = e.name
        WHERE NOT e.inherited AND CASE
            -- PostgreSQL creates those of partitions along with the table's own.
            WHEN e.name ~ 'capture' THEN EXISTS (
                SELECT FROM threadline.expected_triggers(audited_table, target, condition) AS part
                LEFT JOIN pg_trigger AS of_part ON of_part.tgrelid = part.relation AND of_part.tgname = part.name
                WHERE part.name = e.name AND threadline.deparsed_trigger(of_part.oid) IS DISTINCT FROM part.definition)
            ELSE threadline.deparsed_trigger(g.oid) IS DISTINCT FROM e.definition END
    LOOP
        IF tl_owner <> current_user::regrole AND threadline.parses_foreign_code(target, tl_condition) THEN
            RAISE EXCEPTION 'threadline: the condition under which table % is recorded uses functions or types that are not PostgreSQL''s own, whose code would run with the rights of role %', target, current_user
                USING ERRCODE = 'insufficient_privilege',
                      HINT = format('Have role %s, which owns the table, run this in a session of its own.', tl_owner);
        END IF;
        EXECUTE regexp_replace(tl_trigger.definition, '^CREATE', 'CREATE OR REPLACE');
    END LOOP;
    -- All triggers of a relation at once, so that no command leaves one of them disabled.
    FOR tl_trigger IN
        SELECT e.relation, string_agg(format('ENABLE ALWAYS TRIGGER %I', e.name), ', ' ORDER BY e.name) AS actions
        FROM threadline.expected_triggers(audited_table, target, condition) AS e
        JOIN pg_trigger AS g ON g.tgrelid = e.relation AND g.tgname = e.name
        WHERE g.tgenabled <> 'A'
        GROUP BY e.relation
        ORDER BY e.relation <> target
    LOOP
        EXECUTE format('ALTER TABLE %s %s', tl_trigger.relation, tl_trigger.actions);
    END LOOP;
END
$$;
