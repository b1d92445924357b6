-- Up to when a standby has replayed everything that the primary did: as of the last message
-- that it had from there, if it has come to the end that this named; else as of the last
-- transaction. What a role may not see of the connection counts for nothing.
CREATE FUNCTION threadline.replayed_until() RETURNS timestamptz
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
BEGIN
    RETURN greatest(
        pg_last_xact_replay_timestamp(),
        (SELECT r.last_msg_send_time FROM pg_stat_wal_receiver AS r WHERE r.latest_end_lsn <= pg_last_wal_replay_lsn()));
END
$$;
