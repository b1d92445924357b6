-- Returns the partitions of an audited table that were detached or dropped since they were noted,
-- and by when. `is_noted` marks those that threadline.refresh() has seen. Until then, the time of
-- a drop is known only if threadline.watch() saw it.
CREATE OR REPLACE FUNCTION threadline.partitions_left(
    audited_table integer, OUT part oid, OUT name text, OUT rows_of text, OUT left_at timestamptz, OUT left_by text, OUT is_noted boolean
) RETURNS SETOF record
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT k.part, k.name, k.rows_of,
           coalesce(k.left_at, CASE WHEN c.oid IS NOT NULL THEN threadline.altered_at(threadline.full_xid(c.xmin), k.known_at) END, 'infinity'),
           k.left_by, k.noted_at IS NOT NULL
    FROM threadline.known_partitions AS k
    JOIN threadline.audited_tables AS t ON t.id = k.table_id
    LEFT JOIN pg_class AS c ON c.oid = k.part
    WHERE k.table_id = audited_table
      AND (k.left_at IS NOT NULL
           OR k.part NOT IN (SELECT p.relid FROM pg_partition_tree(t.relation::regclass) AS p)
              AND threadline.audited_table_of(t.relation) IS NOT DISTINCT FROM t.id);
END
$$;
