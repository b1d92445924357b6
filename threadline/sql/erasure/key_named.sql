-- Returns the record key that a value names, as the table of the records writes it. `key_type` is
-- that of a plan. The values 'ADA' and 'Ada' of a citext name the same record, as do 42 and 42.00
-- of a numeric. Called for each change that is read, so it must not contain a query.
CREATE OR REPLACE FUNCTION threadline.key_named(value jsonb, key_type text) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_text text := threadline.key_text(value);
BEGIN
    IF key_type IN ('smallint', 'integer', 'bigint', 'numeric', 'oid', 'real', 'double precision') THEN
        IF jsonb_typeof(value) = 'string' AND length(tl_text) < 1000 AND tl_text ~ '^ *[+-]?[0-9]+([.][0-9]*)? *$' THEN
            tl_text := trim_scale(tl_text::numeric)::text;
        END IF;
    ELSIF key_type = 'uuid' THEN
        IF tl_text ~ '^[{]?([0-9a-fA-F]{4}-?){8}[}]?$' THEN
            tl_text := btrim(tl_text, '{}')::uuid::text;
        END IF;
    ELSIF key_type = 'character' THEN
        tl_text := rtrim(tl_text, ' ');
    ELSIF key_type = 'case-insensitive' THEN
        tl_text := lower(tl_text);
    END IF;
    RETURN threadline.bounded_key(tl_text, 1);
END
$$;
