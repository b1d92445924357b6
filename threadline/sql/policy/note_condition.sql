-- Notes the deparsed condition of a table's row trigger, for verify to compare. Fails if the
-- given condition was more than an expression and created a trigger other than the one that
-- records. A trigger created by hand under the name is taken for that of threadline.audit(), so
-- the function records what it noted.
CREATE OR REPLACE FUNCTION threadline.note_condition(target regclass) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off
SET standard_conforming_strings = on AS $$
DECLARE
    tl_id integer := threadline.known_table_of(target);
    tl_condition text := (
        SELECT substring(threadline.deparsed_trigger(g.oid) FROM ' FOR EACH ROW WHEN [(](.*)[)] EXECUTE FUNCTION ')
        FROM pg_trigger AS g
        -- Its arguments could contain anything.
        WHERE g.tgrelid = target AND g.tgname = '!threadline_capture_' || tl_id AND g.tgnargs = 0);
    tl_former text;
BEGIN
    PERFORM threadline.require_handed_over(target);
    IF tl_condition IS NULL THEN
        RAISE EXCEPTION 'threadline: the condition under which table % is recorded is not one expression', target;
    END IF;
    SELECT t.deparsed_condition INTO tl_former FROM threadline.audited_tables AS t WHERE t.id = tl_id AND t.policy ? 'condition';
    IF NOT FOUND THEN
        RAISE EXCEPTION 'threadline: table % is recorded without a condition; give it one with SELECT threadline.audit(''%'', condition => ...)', target, target;
    ELSIF tl_former IS DISTINCT FROM tl_condition THEN
        UPDATE threadline.audited_tables SET deparsed_condition = tl_condition WHERE id = tl_id;
        PERFORM threadline.own_action('audit.condition_changed',
            jsonb_build_object('table', target, 'table_id', tl_id, 'condition', tl_condition, 'former_condition', tl_former));
    END IF;
END
$$;
REVOKE ALL ON FUNCTION threadline.note_condition(regclass) FROM PUBLIC;
