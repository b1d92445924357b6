-- Returns the table that is audited under an id, wherever it is now; NULL if none is.
CREATE OR REPLACE FUNCTION threadline.relation_of(audited_table integer) RETURNS regclass
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT g.tgrelid::regclass
    FROM pg_trigger AS g
    WHERE g.tgfoid = to_regproc('threadline.capture_' || audited_table)
      AND g.tgparentid = 0
      AND g.tgname = '!threadline_capture_' || audited_table
      AND threadline.audited_table_of(g.tgrelid) = audited_table
    LIMIT 1;
END;
