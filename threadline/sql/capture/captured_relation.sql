-- Returns the table that a capture function belongs to: the one it was built for or, after a
-- restore, when the OIDs differ, the one whose trigger calls it. Declared immutable, so that
-- PostgreSQL evaluates it when it plans and not for every write.
CREATE OR REPLACE FUNCTION threadline.captured_relation(audited_table integer, built_for oid) RETURNS oid
LANGUAGE sql IMMUTABLE
RETURN coalesce((
    SELECT g.tgrelid
    -- PostgreSQL has no index on the functions of triggers.
    FROM pg_catalog.pg_depend AS d
    JOIN pg_catalog.pg_trigger AS g ON d.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass AND g.oid = d.objid
    JOIN pg_catalog.pg_class AS c ON c.oid = g.tgrelid
    LEFT JOIN threadline.audited_tables AS t ON t.id = audited_table
    WHERE d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
      AND d.refobjid = pg_catalog.to_regproc('threadline.capture_' || audited_table) AND g.tgfoid = d.refobjid AND g.tgparentid = 0
      AND g.tgname = '!threadline_capture_' || audited_table AND c.relpersistence <> 't'
    ORDER BY c.oid = built_for DESC, c.oid = t.relation DESC, c.relname = t.table_name DESC, g.oid
    LIMIT 1
), 0::pg_catalog.oid);
