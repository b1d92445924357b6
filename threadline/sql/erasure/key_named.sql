-- Returns the record key that a value names, as the table of the records writes it. `key_type` is
-- that of a plan. The values 'ADA' and 'Ada' of a citext name the same record, as do 42 and 42.00
-- of a numeric.
CREATE OR REPLACE FUNCTION threadline.key_named(value jsonb, key_type text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    SELECT threadline.bounded_key(CASE
        WHEN key_type IN ('smallint', 'integer', 'bigint', 'numeric', 'oid', 'real', 'double precision')
             AND of.text ~ '^ *[+-]?[0-9]{1,200}([.][0-9]{0,200})? *$'
        THEN pg_catalog.trim_scale(of.text::pg_catalog.numeric)::pg_catalog.text
        WHEN key_type = 'uuid' AND of.text ~ '^[{]?([0-9a-fA-F]{4}-?){8}[}]?$'
        THEN pg_catalog.btrim(of.text, '{}')::pg_catalog.uuid::pg_catalog.text
        WHEN key_type = 'character' THEN pg_catalog.rtrim(of.text, ' ')
        WHEN key_type = 'case-insensitive' THEN pg_catalog.lower(of.text)
        ELSE of.text END, 1)
    FROM (SELECT threadline.key_text(value) AS text) AS of);
