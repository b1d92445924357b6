-- Returns a record key of several columns, or of unknown columns, as JSON.
CREATE OR REPLACE FUNCTION threadline.composite_key_json(key_columns text[], key_types text[], record_key text) RETURNS jsonb
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT pg_catalog.jsonb_object_agg(
        k.name,
        threadline.key_value(k.type, threadline.json_array_or_null(record_key) ->> (k.position::integer - 1)))
    FROM ROWS FROM (pg_catalog.unnest(key_columns), pg_catalog.unnest(key_types)) WITH ORDINALITY AS k (name, type, position);
END;
