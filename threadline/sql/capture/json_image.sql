-- json as it enters an image. \u0000 is legal in json and not in jsonb; such a
-- value is kept as the text that it is.
CREATE FUNCTION threadline.json_image(value json) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN value::pg_catalog.text LIKE '%\\u0000%'
    THEN pg_catalog.to_jsonb(value::pg_catalog.text)
    ELSE value::pg_catalog.jsonb
END;
