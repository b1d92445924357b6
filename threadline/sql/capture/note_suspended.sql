-- Notes that the running transaction writes to a table while capture is suspended: what was
-- recorded of the table before does not show its later state.
CREATE OR REPLACE FUNCTION threadline.note_suspended(audited_table integer) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, threadline, pg_temp AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM threadline.suspended_writes AS w
        WHERE w.table_id = audited_table AND w.xact_id = pg_current_xact_id() AND w.occurred_at = now())
    THEN
        -- Until it ends, no instant from now on is final; see threadline.open_writers().
        LOCK TABLE threadline.journal IN ROW EXCLUSIVE MODE;
        INSERT INTO threadline.suspended_writes (table_id, xact_id, occurred_at)
        VALUES (audited_table, pg_current_xact_id(), now());
    END IF;
END
$$;
REVOKE ALL ON FUNCTION threadline.note_suspended(integer) FROM PUBLIC;
