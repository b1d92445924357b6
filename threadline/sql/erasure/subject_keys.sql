-- Returns the keys that the record of a person has had. Fails if other records had one of them.
CREATE OR REPLACE FUNCTION threadline.subject_keys(audited_table integer, record_key text) RETURNS text[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_keys text[] := threadline.keys_of_record(audited_table, subject_keys.record_key);
    tl_moves bigint;
    tl_births bigint;
BEGIN
    IF cardinality(tl_keys) > 1 THEN
        SELECT count(*) FILTER (WHERE c.previous_key IS NOT NULL), count(*) FILTER (WHERE c.op = 'I')
        INTO tl_moves, tl_births
        FROM threadline.audit_changes AS c
        WHERE c.table_id = audited_table AND c.record_key = ANY (tl_keys) AND (c.previous_key IS NOT NULL OR c.op = 'I');
        IF tl_moves > cardinality(tl_keys) - 1 OR tl_births > 1 THEN
            RAISE EXCEPTION 'threadline: record % shares keys with other records, and the owner of the changes under % is unknown',
                subject_keys.record_key, array_to_string(tl_keys, ', ')
                USING HINT = 'Records with keys that never change are unambiguous.';
        END IF;
    END IF;
    RETURN tl_keys;
END
$$;
