-- Returns one of a number of key values in the form that fits into the index by record: a longer
-- value becomes its beginning and a digest, which still distinguishes two long keys. The images
-- have the full values.
CREATE OR REPLACE FUNCTION threadline.bounded_key(value text, parts integer) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN pg_catalog.octet_length(CASE parts WHEN 1 THEN value ELSE pg_catalog.to_json(value)::text END) <= 2000 / parts THEN value
    ELSE pg_catalog.left(value, 200 / parts) || '... sha256:'
         || pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(value, threadline.digest_encoding())), 'hex')
END;
