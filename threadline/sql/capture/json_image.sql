-- json as it enters an image: a text, which json is, of which every blank counts (a
-- signature may have been made of it). One that jsonb writes just so is kept as what it
-- says; any other as a string that holds the text, and so is what is a string itself,
-- so that a string in the place of a json column is always a text of json.
CREATE FUNCTION threadline.json_image(value json) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE
AS $$
BEGIN
    IF value::pg_catalog.jsonb::pg_catalog.text OPERATOR(pg_catalog.=) value::pg_catalog.text
       AND pg_catalog.jsonb_typeof(value::pg_catalog.jsonb) OPERATOR(pg_catalog.<>) 'string' THEN
        RETURN value::pg_catalog.jsonb;
    END IF;
    RETURN pg_catalog.to_jsonb(value::pg_catalog.text);
EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
    RETURN pg_catalog.to_jsonb(value::pg_catalog.text);
END
$$;
