-- Returns keys of records in the form that threadline.key_named() returns.
CREATE OR REPLACE FUNCTION threadline.keys_named(keys text[], key_type text) RETURNS text[]
LANGUAGE sql IMMUTABLE
RETURN ARRAY(SELECT threadline.key_named(pg_catalog.to_jsonb(k), key_type) FROM pg_catalog.unnest(keys) AS k);
