-- Returns a record key as JSON: {"id": 42}, {"tenant": "a", "no": 7}.
CREATE OR REPLACE FUNCTION threadline.key_json(key_columns text[], key_types text[], record_key text) RETURNS jsonb
LANGUAGE sql STABLE
RETURN CASE
    WHEN record_key IS NULL THEN NULL
    WHEN pg_catalog.cardinality(key_columns) = 1
        THEN pg_catalog.jsonb_build_object(key_columns[1], threadline.key_value(key_types[1], record_key))
    ELSE threadline.composite_key_json(key_columns, key_types, record_key)
END;
