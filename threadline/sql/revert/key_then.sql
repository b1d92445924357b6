-- Returns the key that a present record had at an instant; NULL if it was created since.
CREATE OR REPLACE FUNCTION threadline.key_then(audited_table integer, record_key text, instant timestamptz) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_key text := record_key;
    tl_birth threadline.audit_changes;
    tl_last threadline.audit_changes;
BEGIN
    tl_last.id := 9223372036854775807;
    LOOP
        SELECT * INTO tl_birth
        FROM threadline.record_changes(audited_table, tl_key) AS c
        WHERE c.table_id = audited_table AND c.record_key = tl_key AND c.id < tl_last.id
          AND (c.op = 'I' OR c.previous_key IS NOT NULL)
          AND (c.transaction_id, c.statement) IS DISTINCT FROM (tl_last.transaction_id, tl_last.statement)
        ORDER BY c.id DESC
        LIMIT 1;
        IF NOT FOUND OR (tl_birth.captured_at <= instant
                         AND threadline.last_captured(tl_birth.transaction_id) <= instant) THEN
            RETURN tl_key;
        ELSIF tl_birth.op = 'I' THEN
            RETURN NULL;
        END IF;
        tl_key := tl_birth.previous_key;
        tl_last := tl_birth;
    END LOOP;
END
$$;
