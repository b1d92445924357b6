-- Returns whether rows of a table were removed after a change without being recorded one by one:
-- by a TRUNCATE above the limit, or of rows that its snapshot did not see.
CREATE OR REPLACE FUNCTION threadline.truncated_unseen(audited_table integer, after_change bigint) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT EXISTS (
        SELECT
        FROM threadline.blind_truncates(audited_table) AS c
        WHERE c.id > after_change);
END;
