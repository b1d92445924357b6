-- Returns the values of one column in record keys of a given number of columns.
CREATE OR REPLACE FUNCTION threadline.key_parts(record_keys text[], columns integer, place integer) RETURNS text[]
LANGUAGE sql IMMUTABLE
RETURN ARRAY(
    SELECT DISTINCT CASE columns WHEN 1 THEN k.record_key ELSE threadline.json_array_or_null(k.record_key) ->> (place - 1) END
    FROM pg_catalog.unnest(record_keys) AS k (record_key));
