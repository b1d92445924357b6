-- A key value, one of so many, as it fits into the index by record: of what is longer,
-- the beginning and a digest. Two long keys are told apart all the same; what they
-- were is in the images.
CREATE FUNCTION threadline.bounded_key(value text, parts integer) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN pg_catalog.octet_length(CASE parts WHEN 1 THEN value ELSE pg_catalog.to_json(value)::text END) <= 2000 / parts THEN value
    ELSE pg_catalog.left(value, 200 / parts) || '... sha256:'
         || pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(value, 'UTF8')), 'hex')
END;
