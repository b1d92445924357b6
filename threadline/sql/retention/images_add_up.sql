-- Returns whether images of old changes can be merged in one pass: the changes of a record are those
-- under its key, and count as they were recorded.
CREATE OR REPLACE FUNCTION threadline.images_add_up(audited_table integer, end_id bigint) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp
SET enable_seqscan = off AS $$
BEGIN
    RETURN threadline.renames_of(audited_table) IS NULL
       AND threadline.alterations_of(audited_table) IS NULL
       AND NOT EXISTS (
           SELECT FROM threadline.ledger_changes AS c
           WHERE c.table_id = audited_table AND c.previous_key IS NOT NULL AND c.id < end_id);
END
$$;
