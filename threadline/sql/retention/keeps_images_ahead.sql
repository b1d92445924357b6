-- Returns whether a purge of a table keeps images ahead of the removal: where there are many old
-- changes, of which threadline.images_add_up() holds, and no TRUNCATE is of unknown rows.
CREATE OR REPLACE FUNCTION threadline.keeps_images_ahead(
    audited_table integer, horizon timestamptz, at_most bigint, after_transaction bigint, after_id bigint
) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, threadline, pg_temp
SET enable_seqscan = off AS $$
DECLARE
    tl_end bigint := threadline.purge_end(horizon);
BEGIN
    RETURN threadline.images_add_up(audited_table, tl_end)
       AND NOT EXISTS (
           SELECT FROM threadline.ledger_changes AS c
           WHERE c.table_id = audited_table AND c.record_key IS NULL AND c.id < tl_end)
       AND EXISTS (
           SELECT FROM threadline.ledger_changes AS c
           WHERE (c.table_id, c.transaction_id, c.id) > (audited_table, after_transaction, after_id) AND (c.table_id, c.transaction_id) < (audited_table, tl_end)
           ORDER BY c.table_id, c.transaction_id, c.id
           OFFSET least(20 * at_most, 20000) LIMIT 1);
END
$$;
REVOKE ALL ON FUNCTION threadline.keeps_images_ahead(integer, timestamptz, bigint, bigint, bigint) FROM PUBLIC;
