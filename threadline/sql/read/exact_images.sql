-- Returns images with the numbers of their numeric columns as strings, digit for digit. If a
-- column is no longer numeric, this applies to numbers with a fraction in any column that is not
-- a float.
CREATE OR REPLACE FUNCTION threadline.exact_images(images jsonb[], numeric_columns text[], columns jsonb) RETURNS jsonb[]
LANGUAGE sql STABLE
RETURN (
    SELECT pg_catalog.array_agg(
        CASE WHEN pg_catalog.jsonb_typeof(i.image) <> 'object' THEN i.image
            ELSE i.image || coalesce((
                SELECT pg_catalog.jsonb_object_agg(field.key, field.value #>> '{}')
                FROM pg_catalog.jsonb_each(i.image) AS field
                WHERE pg_catalog.jsonb_typeof(field.value) = 'number'
                  AND (field.key = ANY (numeric_columns)
                       OR field.value::pg_catalog.text LIKE '%.%' AND field.key = ANY (ARRAY(
                           SELECT c.name
                           FROM pg_catalog.jsonb_to_recordset(columns) AS c (name pg_catalog.text, type pg_catalog.text)
                           WHERE threadline.base_type(pg_catalog.to_regtype(c.type)) NOT IN (
                               'pg_catalog.float4'::pg_catalog.regtype, 'pg_catalog.float8'::pg_catalog.regtype,
                               'pg_catalog.json'::pg_catalog.regtype, 'pg_catalog.jsonb'::pg_catalog.regtype))))), '{}')
        END ORDER BY i.place)
    FROM pg_catalog.unnest(images) WITH ORDINALITY AS i (image, place));
