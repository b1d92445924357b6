-- Returns since when an image in a purge follows from the one before: not from one before a gap in
-- the audit, a write while capture was suspended, or under another key.
CREATE OR REPLACE FUNCTION threadline.images_follow_since(run threadline.purges) RETURNS timestamptz
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT greatest(t.audited_since, t.chained_since, s.ended_before)
    FROM threadline.audited_tables AS t, threadline.suspended_around(t.id, run.kept_since) AS s
    WHERE t.id = run.table_id;
END;
