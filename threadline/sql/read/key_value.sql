-- Returns one value of a record key as JSON: a number if the column is numeric.
CREATE OR REPLACE FUNCTION threadline.key_value(key_type text, value text) RETURNS jsonb
LANGUAGE sql STABLE
RETURN CASE WHEN key_type IN ('smallint', 'integer', 'bigint') AND value ~ '^-?[0-9]{1,19}$'
    THEN pg_catalog.to_jsonb(value::pg_catalog.numeric)
    ELSE pg_catalog.to_jsonb(value)
END;
