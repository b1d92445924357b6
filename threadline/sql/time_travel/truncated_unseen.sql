-- Whether rows of a table went after a change without being recorded one by one: a
-- TRUNCATE above the limit, or of rows that its snapshot did not see.
CREATE FUNCTION threadline.truncated_unseen(audited_table integer, after_change bigint) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT EXISTS (
        SELECT
        FROM threadline.audit_changes AS c
        WHERE c.table_id = audited_table AND c.record_key IS NULL AND c.op = 'T' AND c.id > after_change);
END;
