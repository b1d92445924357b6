-- Returns the value of a key column that a text stands for, as it is recorded: '1.5' for '1.50'. If the
-- text is no value of the type, it fails, or with `or_same` returns the text, which can be that of a
-- former key. Values of types that only an extension or an application can read stay as they are.
CREATE OR REPLACE FUNCTION threadline.canonical_part(given text, type text, or_same boolean) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_base regtype := threadline.base_type(to_regtype(type));
    tl_part text := given;
BEGIN
    IF tl_base <> 'bpchar'::regtype
        AND threadline.is_plain_type(tl_base, '{timezone,intervalstyle,bytea_output,extra_float_digits}', true)
        AND NOT EXISTS (SELECT FROM pg_type AS t WHERE t.oid = tl_base AND t.typcategory = 'A')
    THEN
        EXECUTE format('SELECT threadline.key_text(to_jsonb(%L::%s))', given, tl_base) INTO tl_part;
    END IF;
    RETURN tl_part;
EXCEPTION WHEN data_exception THEN
    IF NOT or_same THEN
        RAISE;
    END IF;
    RETURN given;
END
$$;
SELECT threadline.pin_settings('threadline.canonical_part(text, text, boolean)');
