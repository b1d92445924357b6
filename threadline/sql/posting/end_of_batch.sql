-- Returns the last entry that is posted together with those up to an entry: writes that exchange
-- their ids have to be in one batch.
--
-- Uses hash joins, because the journal has no index.
CREATE OR REPLACE FUNCTION threadline.end_of_batch(up_to bigint) RETURNS bigint
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
SET jit = off
SET enable_nestloop = off
SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    tl_highest bigint := 9223372036854775807;
    tl_divided xid8[];
    tl_further bigint;
BEGIN
    LOOP
        tl_divided := ARRAY(
            SELECT j.xact_id FROM threadline.journal AS j
            GROUP BY j.xact_id
            HAVING min(j.id) <= up_to AND max(j.id) > up_to AND bool_or(j.depth > 1 OR j.depth < 0));
        EXIT WHEN tl_divided = '{}';
        tl_divided := ARRAY(
            SELECT d FROM threadline.disordered_transactions(tl_highest, '(0,0)', '(4294967295,65535)') AS d
            WHERE d = ANY (tl_divided));
        EXIT WHEN tl_divided = '{}';
        SELECT max(r.highest) INTO tl_further
        FROM (
            SELECT r.lowest, r.highest, sum(r.is_apart::integer) OVER (ORDER BY r.lowest, r.highest) AS part
            FROM (
                SELECT r.lowest, r.highest,
                       (r.lowest > max(r.highest) OVER (ORDER BY r.lowest, r.highest ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)) IS true AS is_apart
                FROM (
                    SELECT least(e.id, e.shown_id) AS lowest, greatest(e.id, e.shown_id) AS highest
                    FROM threadline.order_entries(tl_divided, tl_highest, '(0,0)', '(4294967295,65535)') AS e
                ) AS r
            ) AS r
        ) AS r
        GROUP BY r.part
        HAVING min(r.lowest) <= up_to AND max(r.highest) > up_to;
        EXIT WHEN tl_further IS NULL;
        up_to := tl_further;
    END LOOP;
    RETURN up_to;
END
$$;
