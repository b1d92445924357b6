-- Returns the record key that a key written by a person or a program stands for: '1.5' for '1.50',
-- '["1", "2"]' for '[1,2]'. Without this, changes, which are found by the text, and the row, which
-- is found by value, would belong to different keys. Fails if the text is no key of the table. A
-- keyed hash, and values of types that only an extension or an application can read, stay as they
-- are.
CREATE OR REPLACE FUNCTION threadline.canonical_key(audited_table integer, record_key text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tl_keys text[] := (SELECT t.key_columns FROM threadline.audited_tables AS t WHERE t.id = audited_table);
    tl_count integer := cardinality(tl_keys);
    tl_given text[] := ARRAY[canonical_key.record_key];
    tl_json jsonb;
    tl_key record;
    tl_part text;
    tl_parts text[] := '{}';
BEGIN
    IF canonical_key.record_key IS NULL OR coalesce(tl_count, 0) = 0 OR threadline.is_digest(canonical_key.record_key) THEN
        RETURN canonical_key.record_key;
    END IF;
    IF tl_count > 1 THEN
        tl_json := threadline.json_array_or_null(canonical_key.record_key);
        IF (jsonb_array_length(tl_json) = tl_count AND NOT tl_json @> '[null]') IS NOT TRUE THEN
            RAISE invalid_parameter_value USING MESSAGE = format('the values of %s are written as a JSON array, such as %s',
                array_to_string(tl_keys, ', '), to_jsonb(array_fill('7'::text, ARRAY[tl_count])));
        END IF;
        tl_given := ARRAY(SELECT value FROM jsonb_array_elements_text(tl_json) WITH ORDINALITY AS e (value, place) ORDER BY place);
    END IF;
    FOR tl_key IN
        SELECT k.ordinal, k.type, k.hash_of
        FROM threadline.live_key(audited_table) AS k
        ORDER BY k.ordinal
    LOOP
        tl_part := tl_given[tl_key.ordinal];
        IF tl_key.hash_of IS NULL THEN
            tl_part := threadline.canonical_part(tl_part, tl_key.type, or_same => false);
        END IF;
        IF tl_key.type = 'character' THEN
            tl_part := rtrim(tl_part, ' ');
        END IF;
        tl_parts := tl_parts || threadline.bounded_key(tl_part, tl_count);
    END LOOP;
    RETURN CASE tl_count WHEN 1 THEN tl_parts[1] ELSE to_jsonb(tl_parts)::text END;
EXCEPTION
    WHEN invalid_parameter_value OR invalid_text_representation OR invalid_datetime_format OR datetime_field_overflow
        OR numeric_value_out_of_range OR invalid_binary_representation OR interval_field_overflow THEN
        -- The table had another primary key when it was recorded.
        IF EXISTS (SELECT FROM threadline.ledger_changes AS c WHERE c.table_id = audited_table AND c.record_key = canonical_key.record_key) THEN
            RETURN canonical_key.record_key;
        END IF;
        RAISE EXCEPTION 'threadline: % is not a key of %: %', canonical_key.record_key,
            (SELECT format('%I.%I', t.schema_name, t.table_name) FROM threadline.audited_tables AS t WHERE t.id = audited_table), SQLERRM
            USING ERRCODE = 'invalid_parameter_value';
END
$$;
SELECT threadline.pin_settings('threadline.canonical_key(integer, text)');
