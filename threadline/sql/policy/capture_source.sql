-- The source of one of a table's capture functions, written column by column from
-- the table's catalog entry.
CREATE FUNCTION threadline.capture_source(audited_table integer, target regclass, operation text) RETURNS text
LANGUAGE sql
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT CASE WHEN operation IS NULL THEN threadline.row_capture_source(audited_table, target)
                ELSE threadline.statement_capture_source(audited_table, target, operation) END;
END;
