-- Moves all visible entries into the ledger and waits for other sessions that post; called before
-- a change of what the reading of entries depends on.
CREATE OR REPLACE FUNCTION threadline.post_all() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_position bigint;
    tl_posted bigint;
BEGIN
    IF NOT EXISTS (SELECT FROM threadline.journal) THEN
        RETURN;
    END IF;
    SELECT p.last_position INTO tl_position FROM threadline.posting AS p FOR UPDATE;
    -- As in threadline.post().
    tl_position := greatest(tl_position, (SELECT max(c.position) FROM threadline.ledger_changes AS c), 0);
    PERFORM threadline.set_sequences();
    LOOP
        BEGIN
            SELECT b.posted INTO tl_posted
            FROM (SELECT max(j.id) AS id FROM threadline.journal AS j) AS l
            CROSS JOIN LATERAL threadline.post_batch(l.id, tl_position) AS b;
            EXIT;
        EXCEPTION WHEN unique_violation THEN
            IF NOT threadline.renumber_entries() THEN
                RAISE;
            END IF;
        END;
    END LOOP;
    UPDATE threadline.posting AS p SET last_position = tl_position + tl_posted, posted_at = clock_timestamp();
END
$$;
REVOKE ALL ON FUNCTION threadline.post_all() FROM PUBLIC;
