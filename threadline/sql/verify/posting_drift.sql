-- Returns the faults on the way from the journal into the ledger.
CREATE OR REPLACE FUNCTION threadline.posting_drift() RETURNS SETOF threadline.finding
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_waiting threadline.waiting;
    tl_missing bigint;
BEGIN
    SELECT * INTO tl_waiting FROM threadline.waiting;
    IF tl_waiting.entries > 100000 OR tl_waiting.since < clock_timestamp() - interval '1 hour' THEN
        RETURN NEXT ROW('journal-waiting', 'threadline.journal',
            format('%s entries wait, since %s, and %s; run a worker, or schedule threadline.post()', tl_waiting.entries, tl_waiting.since,
                coalesce('were last posted at ' || tl_waiting.last_posted_at, 'were never posted')),
            'SELECT threadline.post();')::threadline.finding;
    END IF;
    IF tl_waiting.set_aside > 0 THEN
        RETURN NEXT ROW('entries-set-aside', 'threadline.unposted',
            format('%s entries could not be posted, the first because: %s', tl_waiting.set_aside,
                (SELECT u.error FROM threadline.unposted AS u ORDER BY u.id LIMIT 1)),
            'SELECT threadline.post_again();')::threadline.finding;
    END IF;
    -- Positions have no gap, so that what is missing at the beginning was purged.
    tl_missing := coalesce((SELECT min(c.position) FROM threadline.ledger_changes AS c), (SELECT p.last_position + 1 FROM threadline.posting AS p))
        - 1 - (SELECT coalesce(sum(p.purged), 0) FROM threadline.purges AS p WHERE p.table_id IS NOT NULL);
    IF tl_missing > 0 THEN
        RETURN NEXT ROW('changes-missing', 'threadline.ledger_changes',
            format('the oldest %s changes are gone, and no purge removed them: the state at an instant%s may be wrong; remove changes only with a retention period and threadline.purge()',
                tl_missing, (SELECT to_char(c.captured_at AT TIME ZONE 'UTC', '" before" YYYY-MM-DD HH24:MI:SS "UTC"') FROM threadline.ledger_changes AS c ORDER BY c.position LIMIT 1)),
            NULL)::threadline.finding;
    END IF;
    RETURN QUERY
    SELECT 'sequence-behind', format('threadline.%s', b.sequence),
           CASE WHEN b.sequence = pg_get_serial_sequence('threadline.journal', 'id')::regclass
                THEN 'recorded ids would be assigned again; the next entries are renumbered when they are posted'
                ELSE 'recorded ids would be assigned again' END,
           'SELECT threadline.set_sequences();'
    FROM threadline.sequences_behind() AS b
    ORDER BY 2;
END
$$;
