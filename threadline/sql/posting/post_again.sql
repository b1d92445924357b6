-- Moves entries that were set aside back into the journal, to be posted again after the obstacle
-- is removed. Returns their number.
CREATE OR REPLACE FUNCTION threadline.post_again() RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_count bigint;
BEGIN
    WITH back AS (DELETE FROM threadline.unposted RETURNING *)
    INSERT INTO threadline.journal
    SELECT b.id, b.transaction_id, b.xact_id, b.occurred_at, b.captured_at, b.op, b.table_id, b.relation, b.depth,
           b.old_place, b.new_place, b.command, b.old_row, b.new_row, b.changed, b.context, b.session_user_name, b.application_name
    FROM back AS b;
    GET DIAGNOSTICS tl_count = ROW_COUNT;
    RETURN tl_count;
END
$$;
REVOKE ALL ON FUNCTION threadline.post_again() FROM PUBLIC;
