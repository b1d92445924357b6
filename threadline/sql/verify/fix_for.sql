-- Returns the command that repairs a table's capture. If only its row trigger is gone, the other
-- triggers still identify the table, and it keeps its history.
CREATE OR REPLACE FUNCTION threadline.fix_for(audited_table integer, target regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off
BEGIN ATOMIC
    SELECT CASE
        WHEN threadline.audited_table_of(target) = audited_table
            THEN format('SELECT threadline.refresh(%L);', target)
        WHEN t.relation = target
             AND to_regproc('threadline.capture_' || t.id) IS NOT NULL
            THEN format('SELECT threadline.install_triggers(%s, %L); SELECT threadline.refresh(%L);', t.id, target, target)
        ELSE threadline.audit_call(t.id, target)
    END
    FROM threadline.audited_tables AS t
    WHERE t.id = audited_table;
END;
