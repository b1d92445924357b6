-- The id under which a table is audited, for who changes that. Fails for a table that
-- got the trigger of another by hand: what it asks for would be done to the other.
CREATE FUNCTION threadline.own_audited_table(target regclass) RETURNS integer
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_id integer := threadline.audited_table_of(target);
    tl_captured oid := threadline.captured_relation(tl_id, 0);
BEGIN
    IF tl_id IS NOT NULL AND tl_captured <> target THEN
        RAISE EXCEPTION 'threadline: table % has the trigger of %; drop it: DROP TRIGGER "!threadline_capture_%" ON %',
            target, tl_captured::regclass, tl_id, target
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN tl_id;
END
$$;
