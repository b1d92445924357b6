-- Returns the state of the audit in numbers, at a cost that does not grow with the audit, for
-- health checks and metrics. Runs as the owner of the audit and shows only these numbers.
CREATE OR REPLACE FUNCTION threadline.counters(
    OUT audited_tables bigint, OUT entries_waiting bigint, OUT oldest_waiting timestamptz, OUT last_posting timestamptz, OUT entries_set_aside bigint,
    OUT changes_last_day bigint, OUT bytes_last_day bigint, OUT ledger_bytes bigint,
    OUT recent_transactions bigint, OUT unattributed_transactions bigint, OUT oldest_change timestamptz
)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, threadline, pg_temp
SET jit = off AS $$
DECLARE
    tl_first bigint;
    tl_last bigint;
BEGIN
    audited_tables := (SELECT count(*) FROM threadline.audited_tables AS t WHERE t.unaudited_at IS NULL);
    SELECT count(*), min(j.captured_at), min(j.id) INTO entries_waiting, oldest_waiting, tl_first
    FROM (SELECT j.id, j.captured_at FROM threadline.journal AS j LIMIT 10000) AS j;
    IF entries_waiting = 10000 THEN
        -- A larger number is estimated from ids, some of which were rolled back.
        entries_waiting := greatest(entries_waiting, pg_sequence_last_value('threadline.entry_ids') - tl_first + 1);
    END IF;
    entries_set_aside := (SELECT count(*) FROM threadline.unposted);
    last_posting := (SELECT p.posted_at FROM threadline.posting AS p);

    SELECT c.position, c.captured_at INTO tl_first, oldest_change FROM threadline.ledger_changes AS c ORDER BY c.position LIMIT 1;
    oldest_change := coalesce(oldest_change, oldest_waiting);
    tl_last := (SELECT max(c.position) FROM threadline.ledger_changes AS c);
    changes_last_day := coalesce(tl_last - threadline.position_at(now() - interval '1 day'), 0) + entries_waiting;
    ledger_bytes := pg_total_relation_size('threadline.ledger_changes') + pg_total_relation_size('threadline.ledger_transactions');
    -- Assumes the average size of all kept changes.
    bytes_last_day := coalesce(ledger_bytes::numeric * changes_last_day / (tl_last - tl_first + 1), 0);

    SELECT count(*), count(*) FILTER (WHERE x.actor_type IS NULL) INTO recent_transactions, unattributed_transactions
    FROM (SELECT x.id, x.actor_type FROM threadline.ledger_transactions AS x ORDER BY x.id DESC LIMIT 1000) AS x
    -- As in verify: others decided about the audit, or only recorded an action.
    WHERE EXISTS (SELECT FROM threadline.ledger_changes AS c WHERE c.transaction_id = x.id);
END
$$;
COMMENT ON FUNCTION threadline.counters() IS
    'The state of the audit in numbers: waiting entries, growth, and attributed share';
