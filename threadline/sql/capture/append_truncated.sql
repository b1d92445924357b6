-- Appends an entry for a row that a TRUNCATE removes, or for rows whose content is unknown.
CREATE OR REPLACE FUNCTION threadline.append_truncated(
    audited_table integer, relation oid, old_row jsonb DEFAULT NULL, new_row jsonb DEFAULT NULL
) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_transaction bigint := threadline.current_transaction();
    tl_id bigint := nextval('threadline.entry_ids');
BEGIN
    INSERT INTO threadline.journal (
        id, transaction_id, xact_id, occurred_at, captured_at, op, table_id, relation, depth, old_row, new_row)
    VALUES (
        tl_id, tl_transaction, pg_current_xact_id(), now(), clock_timestamp(), 'T', audited_table, relation, pg_trigger_depth(),
        append_truncated.old_row, append_truncated.new_row);
    RETURN tl_id;
END
$$;
