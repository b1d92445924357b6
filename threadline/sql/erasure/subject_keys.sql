-- Returns the keys that the record of a person has had. Fails if other records had one of them, also
-- before the primary key of the table changed.
CREATE OR REPLACE FUNCTION threadline.subject_keys(audited_table integer, record_key text) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_keys text[] := threadline.keys_of_record(audited_table, subject_keys.record_key);
    tl_is_shared boolean;
BEGIN
    IF EXISTS (
        SELECT FROM threadline.ledger_changes AS c
        WHERE c.table_id = audited_table AND c.record_key = ANY (tl_keys) AND c.id <= threadline.key_since(audited_table)
    ) THEN
        RAISE EXCEPTION 'threadline: before the primary key of its table changed, other records had the key %, and the owner of these changes is unknown',
            subject_keys.record_key;
    END IF;
    IF cardinality(tl_keys) > 1 THEN
        WITH change AS (
            SELECT c.id, c.op, c.previous_key, c.record_key
            FROM threadline.audit_changes AS c
            WHERE c.table_id = audited_table AND c.record_key = ANY (tl_keys) AND (c.previous_key IS NOT NULL OR c.op = 'I')
            UNION ALL
            SELECT m.id, 'U', m.previous_key, m.record_key
            FROM threadline.moved_keys AS m
            WHERE m.table_id = audited_table AND m.record_key = ANY (tl_keys)
        ), born AS (
            SELECT c.id, c.record_key FROM change AS c WHERE c.op = 'I'
        ), moved AS (
            SELECT c.id, c.previous_key, c.record_key FROM change AS c WHERE c.previous_key IS NOT NULL
        )
        -- One record leaves each key once, gets each once, and is inserted only under the first.
        SELECT (SELECT count(*) FROM born) > 1
            OR (SELECT count(*) FROM moved) > cardinality(tl_keys) - 1
            OR (SELECT count(DISTINCT m.record_key) < count(*) OR count(DISTINCT m.previous_key) < count(*) FROM moved AS m)
            OR EXISTS (
                SELECT FROM born AS b JOIN moved AS m ON m.record_key = b.record_key OR m.previous_key = b.record_key AND m.id < b.id)
        INTO tl_is_shared;
        IF tl_is_shared THEN
            RAISE EXCEPTION 'threadline: record % shares keys with other records, and the owner of the changes under % is unknown',
                subject_keys.record_key, array_to_string(tl_keys, ', ')
                USING HINT = 'Records with keys that never change are unambiguous.';
        END IF;
    END IF;
    RETURN tl_keys;
END
$$;
