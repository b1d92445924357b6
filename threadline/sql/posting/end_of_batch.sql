-- Returns the last entry that is posted together with those up to an entry: writes of which
-- threadline.reordered_entries() changes the order have to be in one batch.
--
-- Uses hash joins, because the journal has no index.
CREATE OR REPLACE FUNCTION threadline.end_of_batch(up_to bigint) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp
SET jit = off
SET enable_nestloop = off
SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    tl_divided xid8[];
    tl_further bigint;
BEGIN
    LOOP
        tl_divided := ARRAY(
            SELECT j.xact_id FROM threadline.journal AS j
            GROUP BY j.xact_id
            HAVING min(j.id) <= up_to AND max(j.id) > up_to AND bool_or(j.depth > 1 OR j.depth < 0));
        EXIT WHEN tl_divided = '{}';
        SELECT max(f.id) INTO tl_further
        FROM (
            -- A version is captured after the one that replaced it.
            SELECT max(b.id) AS id
            FROM threadline.journal AS l
            JOIN threadline.journal AS b ON b.xact_id = l.xact_id AND b.relation = l.relation AND b.new_place = l.old_place
            WHERE l.xact_id IN (SELECT unnest(tl_divided)) AND l.id <= up_to AND b.id > up_to
            UNION ALL
            -- A row is inserted by a trigger before the deletion of its predecessor is captured.
            SELECT max(d.id)
            FROM (
                SELECT j.xact_id, j.table_id, abs(j.depth) AS depth, j.new_row -> t.key_columns[1] AS key
                FROM threadline.journal AS j JOIN threadline.audited_tables AS t ON t.id = j.table_id
                WHERE j.xact_id IN (SELECT unnest(tl_divided)) AND j.id <= up_to AND j.op = 'I' AND abs(j.depth) > 1
                OFFSET 0
            ) AS i
            JOIN (
                SELECT j.id, j.xact_id, j.table_id, j.depth, j.old_row -> t.key_columns[1] AS key
                FROM threadline.journal AS j JOIN threadline.audited_tables AS t ON t.id = j.table_id
                WHERE j.xact_id IN (SELECT unnest(tl_divided)) AND j.id > up_to AND j.op = 'D'
                OFFSET 0
            ) AS d ON d.xact_id = i.xact_id AND d.table_id = i.table_id AND d.key = i.key
            WHERE d.depth < i.depth
        ) AS f;
        EXIT WHEN tl_further IS NULL;
        up_to := tl_further;
    END LOOP;
    RETURN up_to;
END
$$;
