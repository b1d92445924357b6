-- Returns the open transactions that wrote audited rows, or an action, and may have done so by an
-- instant: `since` and `application_name` where the role may see them. A prepared transaction has
-- no session, but a name, the one with which it can be committed or rolled back. Those of
-- threadline.writers_since() do not count.
--
-- An open transaction that wrote audited rows holds a lock on the journal; one that ended before
-- the locks were read is visible to later snapshots. So query this first and read then.
CREATE OR REPLACE FUNCTION threadline.open_writers(
    instant timestamptz,
    OUT pid integer, OUT since timestamptz, OUT application_name text, OUT prepared text
) RETURNS SETOF record
LANGUAGE plpgsql SET search_path = pg_catalog, threadline, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tl_later numeric := threadline.writers_since(instant);
BEGIN
    RETURN QUERY
    SELECT writes.pid, coalesce(a.xact_start, p.prepared), nullif(a.application_name, ''), p.gid
    FROM pg_locks AS writes
    LEFT JOIN pg_stat_activity AS a ON a.pid = writes.pid
    LEFT JOIN LATERAL (
        SELECT x.gid, x.prepared
        FROM pg_locks AS own
        JOIN pg_prepared_xacts AS x ON x.transaction = own.transactionid
        WHERE own.locktype = 'transactionid' AND own.mode = 'ExclusiveLock' AND own.virtualtransaction = writes.virtualtransaction
    ) AS p ON writes.pid IS NULL
    WHERE writes.locktype = 'relation' AND writes.mode = 'RowExclusiveLock'
      AND writes.relation = 'threadline.journal'::regclass
      -- A session that posts writes nothing else.
      AND NOT EXISTS (
          SELECT
          FROM pg_locks AS posts
          WHERE posts.locktype = 'relation' AND posts.mode = 'RowExclusiveLock'
            AND posts.relation = 'threadline.posting'::regclass
            AND posts.virtualtransaction = writes.virtualtransaction)
      -- Another database may have the same number for another table.
      AND writes.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND writes.pid IS DISTINCT FROM pg_backend_pid()
      AND NOT EXISTS (
          SELECT
          FROM pg_locks AS own
          WHERE own.locktype = 'transactionid' AND own.mode = 'ExclusiveLock'
            AND own.virtualtransaction = writes.virtualtransaction
            AND tl_later <= threadline.full_xid(own.transactionid)::text::numeric)
    ORDER BY 2, 1;
END
$$;
COMMENT ON FUNCTION threadline.open_writers(timestamptz) IS
    'The open transactions because of which the state at an instant is not final';
