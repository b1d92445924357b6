-- Notes the condition of a table's row trigger in the words in which PostgreSQL shows
-- it, for verify to compare. Fails if what was given as one is more than an expression,
-- and made another trigger than the one that records.
CREATE FUNCTION threadline.note_condition(target regclass) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off
AS $$
DECLARE
    tl_id integer := threadline.known_table_of(target);
    tl_condition text := (
        SELECT substring(pg_get_triggerdef(g.oid) FROM ' FOR EACH ROW WHEN [(](.*)[)] EXECUTE FUNCTION ')
        FROM pg_trigger AS g
        WHERE g.tgrelid = target AND g.tgname = '!threadline_capture_' || tl_id);
BEGIN
    PERFORM threadline.require_handed_over(target);
    IF tl_condition IS NULL THEN
        RAISE EXCEPTION 'threadline: the condition under which table % is recorded is not one expression', target;
    END IF;
    UPDATE threadline.audited_tables SET shown_condition = tl_condition WHERE id = tl_id;
END
$$;
REVOKE ALL ON FUNCTION threadline.note_condition(regclass) FROM PUBLIC;
