-- Returns every key that a record has had, and those of the records that had one of them; without
-- those from before the primary key of its table changed.
CREATE OR REPLACE FUNCTION threadline.keys_of_record(audited_table integer, record_key text) RETURNS text[]
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    WITH RECURSIVE keys (key) AS (
        SELECT keys_of_record.record_key COLLATE "C"
        UNION
        SELECT moved.key
        FROM keys
        CROSS JOIN LATERAL (
            SELECT c.previous_key AS key FROM threadline.audit_changes AS c
            WHERE c.table_id = audited_table AND c.record_key = keys.key AND c.previous_key IS NOT NULL AND c.id > threadline.key_since(audited_table)
            UNION ALL
            SELECT c.record_key FROM threadline.audit_changes AS c
            WHERE c.table_id = audited_table AND c.previous_key = keys.key AND c.id > threadline.key_since(audited_table)
            UNION ALL
            -- Of changes that were purged.
            SELECT m.previous_key FROM threadline.moved_keys AS m WHERE m.table_id = audited_table AND m.record_key = keys.key AND m.id > threadline.key_since(audited_table)
            UNION ALL
            SELECT m.record_key FROM threadline.moved_keys AS m WHERE m.table_id = audited_table AND m.previous_key = keys.key AND m.id > threadline.key_since(audited_table)
        ) AS moved
    )
    SELECT array_agg(key) FROM keys;
END;
