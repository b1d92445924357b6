-- Returns when, as of an instant, the last transaction ended that wrote to a table while capture
-- was suspended (NULL: none did), whether one may have ended about then, and whether any did later.
CREATE OR REPLACE FUNCTION threadline.suspended_around(
    audited_table integer, instant timestamptz, OUT ended_before timestamptz, OUT ends_about_then boolean, OUT ends_later boolean
)
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT (SELECT max(w.ended_at) FROM threadline.suspended_writes AS w
            WHERE w.table_id = suspended_around.audited_table AND w.ended_at <= suspended_around.instant),
           coalesce(bool_or(l.occurred_at <= suspended_around.instant), false), count(l.occurred_at) > 0
    FROM (
        SELECT min(w.occurred_at) AS occurred_at FROM threadline.suspended_writes AS w
        WHERE w.table_id = suspended_around.audited_table AND w.ended_at > suspended_around.instant
        UNION ALL
        SELECT min(w.occurred_at) FROM threadline.suspended_writes AS w
        WHERE w.table_id = suspended_around.audited_table AND w.ended_at IS NULL
    ) AS l;
END;
