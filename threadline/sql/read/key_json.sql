-- A record key as JSON: {"id": 42}, {"tenant": "a", "no": 7}.
CREATE FUNCTION threadline.key_json(key_columns text[], key_types text[], record_key text) RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT jsonb_object_agg(
        k.name,
        CASE WHEN k.type IN ('smallint', 'integer', 'bigint') AND part.value ~ '^-?[0-9]{1,19}$'
             THEN to_jsonb(part.value::numeric)
             ELSE to_jsonb(part.value) END)
    FROM unnest(key_columns, key_types) WITH ORDINALITY AS k (name, type, position)
    CROSS JOIN LATERAL (
        SELECT CASE WHEN cardinality(key_columns) = 1 THEN record_key
                    ELSE threadline.json_array_or_null(record_key) ->> (k.position::integer - 1) END
    ) AS part (value)
    WHERE record_key IS NOT NULL;
END;
