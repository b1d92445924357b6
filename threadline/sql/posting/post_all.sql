-- Moves all visible entries into the ledger and waits for other sessions that post; called before
-- a change of what the reading of entries depends on.
CREATE OR REPLACE FUNCTION threadline.post_all() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_position bigint;
    tl_posted bigint;
    tl_last bigint := (SELECT max(j.id) FROM threadline.journal AS j);
BEGIN
    IF tl_last IS NOT NULL THEN
        SELECT p.last_position INTO tl_position FROM threadline.posting AS p FOR UPDATE;
        -- As in threadline.post().
        tl_position := greatest(tl_position, (SELECT max(c.position) FROM threadline.ledger_changes AS c), 0);
        SELECT b.posted INTO tl_posted FROM threadline.post_batch(tl_last, tl_position) AS b;
        UPDATE threadline.posting AS p SET last_position = tl_position + tl_posted, posted_at = clock_timestamp();
    END IF;
END
$$;
REVOKE ALL ON FUNCTION threadline.post_all() FROM PUBLIC;
