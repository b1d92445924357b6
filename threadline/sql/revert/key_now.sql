-- Returns the present key of a record that had another one after a change; NULL if the record is
-- gone.
CREATE OR REPLACE FUNCTION threadline.key_now(audited_table integer, record_key text, after_change bigint) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_key text := record_key;
    tl_end threadline.audit_changes;
    tl_last threadline.audit_changes;
BEGIN
    tl_last.id := after_change;
    LOOP
        -- In a statement that shifts keys, the departing key is freed before the arriving one
        -- uses it.
        SELECT * INTO tl_end
        FROM (
            (SELECT * FROM threadline.record_changes(audited_table, tl_key) AS c
             WHERE c.table_id = audited_table AND c.record_key = tl_key
               AND c.id > tl_last.id AND c.op IN ('D', 'T')
             ORDER BY c.id LIMIT 1)
            UNION ALL
            (SELECT * FROM threadline.record_changes(audited_table, tl_key) AS c
             WHERE c.table_id = audited_table AND c.previous_key = tl_key AND c.id > tl_last.id
               AND (c.transaction_id, c.statement) IS DISTINCT FROM (tl_last.transaction_id, tl_last.statement)
             ORDER BY c.id LIMIT 1)
        ) AS either
        ORDER BY either.id
        LIMIT 1;
        IF NOT FOUND THEN
            RETURN tl_key;
        ELSIF tl_end.op <> 'U' THEN
            RETURN NULL;
        END IF;
        tl_key := tl_end.record_key;
        tl_last := tl_end;
    END LOOP;
END
$$;
