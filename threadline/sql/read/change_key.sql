-- Returns the record key of a change as JSON, under the primary key with which it was recorded.
CREATE OR REPLACE FUNCTION threadline.change_key(
    former_keys jsonb, key_columns text[], key_types text[], record_key text, change_id bigint
) RETURNS jsonb
LANGUAGE sql STABLE
RETURN CASE WHEN change_id <= (former_keys #>> '{-1,last_id}')::bigint
    THEN threadline.former_key_json(former_keys, record_key, change_id)
    ELSE threadline.key_json(key_columns, key_types, record_key)
END;
