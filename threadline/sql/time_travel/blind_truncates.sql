-- Returns where rows of a table were removed without being recorded one by one: by a TRUNCATE
-- above the limit, or of rows that its snapshot did not see.
CREATE OR REPLACE FUNCTION threadline.blind_truncates(
    audited_table integer, OUT id bigint, OUT transaction_id bigint, OUT captured_at timestamptz
) RETURNS SETOF record
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT c.id, c.transaction_id, c.captured_at
    FROM threadline.ledger_changes AS c
    WHERE c.table_id = audited_table AND c.record_key IS NULL AND c.op = 'T'
    UNION ALL
    SELECT j.id, j.transaction_id, j.captured_at
    FROM threadline.journal AS j
    WHERE j.table_id = audited_table AND j.op = 'T' AND j.old_row IS NULL;
END;
