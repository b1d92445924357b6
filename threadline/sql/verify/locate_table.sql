-- Returns the table that is audited under an id, or should be, also if its triggers were removed.
-- Identified by its row trigger; else by its recorded name; else by its OID, if the columns
-- agree: after a restore the OID may be that of any table.
CREATE OR REPLACE FUNCTION threadline.locate_table(audited_table integer) RETURNS regclass
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT coalesce(
        (SELECT g.tgrelid
         -- PostgreSQL has no index on the functions of triggers.
         FROM pg_depend AS d
         JOIN pg_trigger AS g ON d.classid = 'pg_trigger'::regclass AND g.oid = d.objid
         WHERE d.refclassid = 'pg_proc'::regclass AND d.refobjid = to_regproc('threadline.capture_' || t.id) AND g.tgfoid = d.refobjid
           AND g.tgparentid = 0 AND g.tgname = '!threadline_capture_' || t.id
         ORDER BY g.tgrelid = t.relation DESC, g.tgrelid
         LIMIT 1),
        (SELECT c.oid
         FROM pg_class AS c
         JOIN pg_namespace AS n ON n.oid = c.relnamespace
         WHERE n.nspname = t.schema_name AND c.relname = t.table_name AND c.relkind IN ('r', 'p')
           AND threadline.audited_table_of(c.oid) IS NULL),
        (SELECT c.oid
         FROM pg_class AS c
         WHERE c.oid = t.relation AND c.relkind IN ('r', 'p')
           AND threadline.audited_table_of(c.oid) IS NULL AND threadline.fingerprint(c.oid) = t.fingerprint)
    )::regclass
    FROM threadline.audited_tables AS t
    WHERE t.id = audited_table;
END;
