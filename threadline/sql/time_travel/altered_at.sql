-- Returns the time by which a transaction had altered a table, as exactly as it can be known: its
-- commit, if the server tracks commit timestamps; else when the next recorded transaction began
-- to write. For the running one it is now: no other session can have written since it altered the
-- table. NULL if no transaction has written since.
CREATE OR REPLACE FUNCTION threadline.altered_at(altered_by xid8, noted_before timestamptz) RETURNS timestamptz
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
BEGIN
    IF altered_by::text::numeric >= pg_snapshot_xmax(pg_current_snapshot())::text::numeric
       OR pg_xact_status(altered_by) IS NOT DISTINCT FROM 'in progress'
    THEN
        -- It may be the id of a savepoint, or of before a restore.
        RETURN clock_timestamp();
    ELSIF current_setting('track_commit_timestamp') = 'on' THEN
        RETURN pg_xact_commit_timestamp((altered_by::text::numeric % 4294967296)::text::xid);
    END IF;
    RETURN (
        SELECT x.opened_at
        FROM threadline.audit_transactions AS x
        WHERE x.xact_id > altered_by AND x.opened_at > noted_before
        ORDER BY x.xact_id, x.id
        LIMIT 1);
END
$$;
