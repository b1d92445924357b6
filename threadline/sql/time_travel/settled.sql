-- Whether no change captured up to an instant can still come to be seen: what
-- was the state then is asked of committed changes, and a transaction that
-- wrote before the instant may commit after the question. Of those that the
-- question's own snapshot holds to be running, each either began after the
-- instant, as transaction ids of later AuditTransactions prove, or is still
-- running and has not written audited rows, as its locks prove. One that ended
-- between the snapshot and the look at the locks proves nothing: asked again, it
-- is in the snapshot.
CREATE FUNCTION threadline.settled(instant timestamptz) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    WITH held AS MATERIALIZED (
        SELECT locktype, relation, mode, virtualtransaction, transactionid
        FROM pg_locks
        WHERE (locktype = 'transactionid' AND mode = 'ExclusiveLock')
           OR (locktype = 'relation' AND relation = 'threadline.audit_changes'::regclass AND mode = 'RowExclusiveLock'
               -- Another database may have the same number for another table.
               AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
    ), later AS (
        -- Ids are given in the order in which transactions first write.
        SELECT min(xact_id::text::numeric) AS first
        FROM (
            SELECT xact_id
            FROM threadline.audit_transactions
            WHERE opened_at > instant AND occurred_at > instant
            ORDER BY opened_at
            LIMIT 10
        ) AS opened
    )
    SELECT instant <= CASE current_setting('transaction_isolation')
                          WHEN 'read committed' THEN statement_timestamp() ELSE now() END
       AND NOT EXISTS (
           SELECT
           FROM pg_snapshot_xip(pg_current_snapshot()) AS running (xid)
           WHERE running.xid IS DISTINCT FROM pg_current_xact_id_if_assigned()
             AND (SELECT first FROM later) <= running.xid::text::numeric IS NOT TRUE
             AND NOT EXISTS (
                 SELECT
                 FROM held AS own
                 WHERE own.locktype = 'transactionid'
                   AND own.transactionid = running.xid::xid
                   AND NOT EXISTS (
                       SELECT FROM held AS writes
                       WHERE writes.locktype = 'relation' AND writes.virtualtransaction = own.virtualtransaction)));
END;
COMMENT ON FUNCTION threadline.settled(timestamptz) IS
    'Whether what was the state at an instant is final: no transaction that wrote audited rows by then is still open';
