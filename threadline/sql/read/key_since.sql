-- Returns the id since which changes of a table have its present primary key: record keys of
-- earlier changes are values of other columns.
CREATE OR REPLACE FUNCTION threadline.key_since(audited_table integer) RETURNS bigint
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT coalesce((SELECT (t.former_keys #>> '{-1,last_id}')::bigint FROM threadline.audited_tables AS t WHERE t.id = audited_table), 0);
END;
