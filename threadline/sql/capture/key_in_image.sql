-- The record key read from a row's image.
CREATE FUNCTION threadline.key_in_image(image jsonb, key_columns text[]) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN CASE pg_catalog.cardinality(key_columns)
    WHEN 0 THEN NULL
    WHEN 1 THEN threadline.key_text(image -> key_columns[1])
    ELSE (
        SELECT pg_catalog.jsonb_agg(threadline.key_text(image -> k.name) ORDER BY k.position)::pg_catalog.text
        FROM pg_catalog.unnest(key_columns) WITH ORDINALITY AS k (name, position)
    )
END;
