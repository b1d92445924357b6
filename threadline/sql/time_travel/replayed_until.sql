-- Returns up to when a standby has replayed everything that the primary did: the time of the last
-- message from the primary, if the standby has replayed up to its position; else the time of the
-- last transaction. Details of the connection that a role may not see are ignored.
CREATE OR REPLACE FUNCTION threadline.replayed_until() RETURNS timestamptz
LANGUAGE plpgsql SET search_path = pg_catalog, threadline, pg_temp AS $$
BEGIN
    RETURN greatest(
        pg_last_xact_replay_timestamp(),
        (SELECT r.last_msg_send_time FROM pg_stat_wal_receiver AS r WHERE r.latest_end_lsn <= pg_last_wal_replay_lsn()));
END
$$;
