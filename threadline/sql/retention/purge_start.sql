-- Returns the change after which the next run of threadline.purge() on a table begins: up to it,
-- earlier runs left nothing. The entries of removed changes stay in the indexes until a vacuum, and
-- a search from the beginning would read them all.
CREATE OR REPLACE FUNCTION threadline.purge_start(audited_table integer, OUT transaction_id bigint, OUT id bigint) RETURNS record
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT coalesce(max(last.swept_transaction), -1), coalesce(max(last.swept_id), -1)
    FROM (
        SELECT p.swept_transaction, p.swept_id FROM threadline.purges AS p
        WHERE p.table_id = purge_start.audited_table
        ORDER BY p.id DESC
        LIMIT 1
    ) AS last;
END;
REVOKE ALL ON FUNCTION threadline.purge_start(integer) FROM PUBLIC;
