-- Returns the partitions that left a table after an instant and could have rows from before its
-- audit began: the audit does not have these rows. NULL if there are none.
CREATE OR REPLACE FUNCTION threadline.left_unseen(audited_table integer, instant timestamptz) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT string_agg(p.name, ', ' ORDER BY p.name)
    FROM threadline.partitions_left(audited_table) AS p
    JOIN threadline.known_partitions AS k ON k.table_id = audited_table AND k.part = p.part
    WHERE p.left_at > instant AND k.had_rows;
END;
