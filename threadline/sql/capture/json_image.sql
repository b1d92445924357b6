-- Returns a json value as it enters an image. json is a text in which every blank counts (a
-- signature may cover it). A value that jsonb writes identically is kept as its content; any
-- other is kept as a string that holds the text. A json string is always kept that way, so that a
-- string in the place of a json column is always a text of json.
CREATE OR REPLACE FUNCTION threadline.json_image(value json) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE AS $$
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
