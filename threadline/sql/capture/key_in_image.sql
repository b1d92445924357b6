-- The record key read from a row's image. Blanks at the end of a char(n) are not part
-- of its value.
CREATE FUNCTION threadline.key_in_image(image jsonb, key_columns text[], key_types text[]) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN (
    SELECT CASE pg_catalog.count(*)
        WHEN 0 THEN NULL
        WHEN 1 THEN threadline.bounded_key(pg_catalog.min(part), 1)
        ELSE pg_catalog.jsonb_agg(threadline.bounded_key(part, pg_catalog.cardinality(key_columns)) ORDER BY position)::pg_catalog.text
    END
    FROM (
        SELECT k.position,
               CASE k.type WHEN 'character' THEN pg_catalog.rtrim(threadline.key_text(image -> k.name), ' ')
                           ELSE threadline.key_text(image -> k.name) END AS part
        FROM ROWS FROM (pg_catalog.unnest(key_columns), pg_catalog.unnest(key_types)) WITH ORDINALITY AS k (name, type, position)
    ) AS parts
);
