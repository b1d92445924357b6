-- Returns whether there is a key for each column of a table that is recorded as a keyed hash; a
-- restore may have left them out.
CREATE OR REPLACE FUNCTION threadline.hash_keys_match(audited_table integer) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT NOT EXISTS (
        SELECT
        FROM threadline.audited_tables AS t
        CROSS JOIN jsonb_to_recordset(t.columns) AS c (column_policy text, hash_key integer)
        WHERE t.id = audited_table AND c.column_policy = 'hash' AND c.hash_key NOT IN (SELECT k.id FROM threadline.hash_keys AS k));
END;
