-- Returns the changes of a record by the running transaction since an instant, also under other
-- keys: those of a revert itself, or of the application's triggers and references that it fired.
CREATE OR REPLACE FUNCTION threadline.own_changes(
    audited_table integer, record_key text, began timestamptz
) RETURNS SETOF threadline.audit_changes
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_transaction bigint := nullif(split_part(current_setting('threadline.transaction', true), ' ', 1), '');
BEGIN
    -- Found by record, and not through the index on the transaction, which may have a great many
    -- changes.
    RETURN QUERY
    WITH RECURSIVE own AS (
        SELECT c.*
        FROM threadline.record_changes(audited_table, own_changes.record_key) AS c
        WHERE c.table_id = audited_table AND c.record_key = own_changes.record_key
          AND c.transaction_id + 0 = tl_transaction AND c.captured_at > began
        UNION
        SELECT c.*
        FROM own
        CROSS JOIN LATERAL (
            SELECT *
            FROM threadline.record_changes(audited_table, own.previous_key) AS c
            WHERE c.table_id = audited_table AND c.record_key = own.previous_key
              AND c.transaction_id + 0 = tl_transaction AND c.captured_at > began
            OFFSET 0
        ) AS c
        WHERE own.previous_key IS NOT NULL
    )
    SELECT * FROM own;
END
$$;
