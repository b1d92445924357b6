-- Notes for threadline.write_policy() the partitions of a table, and those that left it: each
-- once, with the role and time.
CREATE OR REPLACE FUNCTION threadline.note_partitions(audited_table integer, target regclass, is_same boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off AS $$
DECLARE
    tl_left record;
BEGIN
    IF NOT is_same THEN
        DELETE FROM threadline.known_partitions AS k WHERE k.table_id = audited_table AND k.left_at IS NULL;
    END IF;
    FOR tl_left IN SELECT * FROM threadline.partitions_left(audited_table) AS p WHERE NOT p.is_noted LOOP
        UPDATE threadline.known_partitions AS k
        SET left_at = least(tl_left.left_at, clock_timestamp()), noted_at = clock_timestamp()
        WHERE k.table_id = audited_table AND k.part = tl_left.part;
        PERFORM threadline.own_action('audit.partition_left', jsonb_build_object(
            'table', target, 'table_id', audited_table, 'partition', tl_left.name, 'left_by', tl_left.left_by,
            'left_at', CASE WHEN tl_left.left_by IS NOT NULL THEN tl_left.left_at END));
    END LOOP;
    INSERT INTO threadline.known_partitions AS k (table_id, part, name, rows_of, known_at, had_rows)
    SELECT audited_table, p.relid, p.relid::text, threadline.rows_of_partition(p.relid), clock_timestamp(),
           NOT is_same AND coalesce(pg_relation_size(p.relid) > 0, false)
    FROM pg_partition_tree(target) AS p
    WHERE p.isleaf AND p.relid <> target
    ON CONFLICT (table_id, part) DO UPDATE
    SET name = excluded.name, rows_of = excluded.rows_of, known_at = excluded.known_at, left_at = NULL, left_by = NULL, noted_at = NULL
    WHERE k.left_at IS NOT NULL OR (k.name, k.rows_of) IS DISTINCT FROM (excluded.name, excluded.rows_of);
END
$$;
REVOKE ALL ON FUNCTION threadline.note_partitions(integer, regclass, boolean) FROM PUBLIC;
