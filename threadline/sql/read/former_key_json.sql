-- Returns the record key of a change as JSON, for threadline.change_key(), under the primary key
-- that the table had when the change was recorded.
CREATE OR REPLACE FUNCTION threadline.former_key_json(former_keys jsonb, record_key text, change_id bigint) RETURNS jsonb
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT threadline.key_json(f.columns, f.types, former_key_json.record_key)
    FROM pg_catalog.jsonb_to_recordset(former_keys) AS f (columns text[], types text[], last_id bigint)
    WHERE f.last_id >= change_id
    ORDER BY f.last_id
    LIMIT 1;
END;
