-- Returns the table that a capture function belongs to: the one it was built for or, after a
-- restore, when the OIDs differ, the one whose trigger calls it. Declared immutable, so that
-- PostgreSQL evaluates it when it plans and not for every write.
CREATE OR REPLACE FUNCTION threadline.captured_relation(audited_table integer, built_for oid) RETURNS oid
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_function oid := to_regproc('threadline.capture_' || audited_table);
BEGIN
    -- Each connection looks once for each table that it writes to.
    IF EXISTS (
        SELECT FROM pg_trigger AS g
        WHERE g.tgrelid = built_for AND g.tgname = '!threadline_capture_' || audited_table AND g.tgfoid = tl_function AND g.tgparentid = 0
          AND (SELECT c.relpersistence FROM pg_class AS c WHERE c.oid = g.tgrelid) <> 't')
    THEN
        RETURN built_for;
    END IF;
    RETURN coalesce((
        SELECT g.tgrelid
        -- PostgreSQL has no index on the functions of triggers.
        FROM pg_depend AS d
        JOIN pg_trigger AS g ON d.classid = 'pg_trigger'::regclass AND g.oid = d.objid
        JOIN pg_class AS c ON c.oid = g.tgrelid
        LEFT JOIN threadline.audited_tables AS t ON t.id = audited_table
        WHERE d.refclassid = 'pg_proc'::regclass
          AND d.refobjid = tl_function AND g.tgfoid = d.refobjid AND g.tgparentid = 0
          AND g.tgname = '!threadline_capture_' || audited_table AND c.relpersistence <> 't'
        ORDER BY c.oid = built_for DESC, c.oid = t.relation DESC, c.relname = t.table_name DESC, g.oid
        LIMIT 1
    ), 0);
END
$$;
