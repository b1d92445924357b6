-- Returns the faults on the way from the journal into the ledger.
CREATE OR REPLACE FUNCTION threadline.posting_drift() RETURNS SETOF threadline.finding
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_waiting threadline.waiting;
BEGIN
    SELECT * INTO tl_waiting FROM threadline.waiting;
    IF tl_waiting.entries > 100000 OR tl_waiting.since < clock_timestamp() - interval '1 hour' THEN
        RETURN NEXT ROW('journal-waiting', 'threadline.journal',
            format('%s entries wait, since %s, and %s; run a worker, or pg_cron', tl_waiting.entries, tl_waiting.since,
                coalesce('were last posted at ' || tl_waiting.last_posted_at, 'nobody ever posted')),
            'SELECT threadline.post();')::threadline.finding;
    END IF;
    IF tl_waiting.set_aside > 0 THEN
        RETURN NEXT ROW('entries-set-aside', 'threadline.unposted',
            format('%s entries could not be posted, the first because: %s', tl_waiting.set_aside,
                (SELECT u.error FROM threadline.unposted AS u ORDER BY u.id LIMIT 1)),
            'SELECT threadline.post_again();')::threadline.finding;
    END IF;
    RETURN QUERY
    SELECT 'sequence-behind', format('threadline.%s', b.sequence),
           CASE WHEN b.sequence = pg_get_serial_sequence('threadline.journal', 'id')::regclass
                THEN 'ids that are on record are given once more; the next entries are renumbered when they are posted'
                ELSE 'ids that are on record are given once more' END,
           'SELECT threadline.set_sequences();'
    FROM threadline.sequences_behind() AS b
    ORDER BY 2;
END
$$;
