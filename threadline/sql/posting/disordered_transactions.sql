-- Returns the transactions of which some writes were captured in another order than they happened
-- in, up to an entry and within a range of places; perhaps others, too.
CREATE OR REPLACE FUNCTION threadline.disordered_transactions(up_to bigint, lowest tid, highest tid) RETURNS SETOF xid8
LANGUAGE plpgsql STABLE ROWS 1 SET search_path = pg_catalog, threadline, pg_temp AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM threadline.journal AS n
        WHERE n.id <= up_to AND n.ctid >= lowest AND n.ctid <= highest AND (n.depth > 1 OR n.depth < 0))
    THEN
        RETURN;
    END IF;
    RETURN QUERY
    WITH nested AS MATERIALIZED (
        SELECT DISTINCT n.xact_id FROM threadline.journal AS n
        WHERE n.id <= up_to AND n.ctid >= lowest AND n.ctid <= highest AND (n.depth > 1 OR n.depth < 0)
    )
    -- A version was captured after the one that replaced it.
    SELECT l.xact_id
    FROM threadline.journal AS l
    JOIN threadline.journal AS b ON b.xact_id = l.xact_id AND b.relation = l.relation AND b.new_place = l.old_place
    WHERE l.id <= up_to AND l.ctid >= lowest AND l.ctid <= highest AND l.xact_id IN (SELECT n.xact_id FROM nested AS n)
      AND b.id <= up_to AND b.ctid >= lowest AND b.ctid <= highest AND b.id > l.id
    UNION
    -- A row was inserted by a trigger before the deletion of its predecessor was captured.
    SELECT j.xact_id
    FROM threadline.journal AS j
    WHERE j.id <= up_to AND j.ctid >= lowest AND j.ctid <= highest AND j.op IN ('I', 'D')
      AND j.xact_id IN (SELECT n.xact_id FROM nested AS n)
    GROUP BY j.xact_id, j.table_id
    HAVING min(j.id) FILTER (WHERE j.op = 'I' AND abs(j.depth) > 1) < max(j.id) FILTER (WHERE j.op = 'D')
       AND max(abs(j.depth)) FILTER (WHERE j.op = 'I') > min(j.depth) FILTER (WHERE j.op = 'D');
END
$$;
