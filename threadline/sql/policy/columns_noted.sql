-- Returns whether every change that commands made to the columns and partitions of an audited
-- table is noted; see threadline.altered_columns and threadline.known_partitions.
CREATE OR REPLACE FUNCTION threadline.columns_noted(audited_table integer, target regclass) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, threadline, pg_temp AS $$
BEGIN
    RETURN NOT EXISTS (SELECT FROM threadline.unnoted_alterations(audited_table, target))
       AND NOT EXISTS (SELECT FROM threadline.partitions_left(audited_table) AS p WHERE NOT p.is_noted)
       AND NOT EXISTS (
           SELECT
           FROM pg_partition_tree(target) AS p
           WHERE p.isleaf AND p.relid <> target
             AND p.relid NOT IN (SELECT k.part FROM threadline.known_partitions AS k WHERE k.table_id = audited_table AND k.left_at IS NULL));
END
$$;
