-- An image with the numbers of its numeric columns as strings, digit for digit; also of a
-- column that is numeric no more: of any that is no float, a number with a fraction.
CREATE FUNCTION threadline.exact_image(image jsonb, numeric_columns text[], columns jsonb) RETURNS jsonb
LANGUAGE sql STABLE
RETURN CASE WHEN pg_catalog.jsonb_typeof(image) <> 'object' THEN image
    ELSE image || coalesce((
        SELECT pg_catalog.jsonb_object_agg(field.key, field.value #>> '{}')
        FROM pg_catalog.jsonb_each(image) AS field
        WHERE pg_catalog.jsonb_typeof(field.value) = 'number'
          AND (field.key = ANY (numeric_columns)
               OR field.value::pg_catalog.text LIKE '%.%' AND coalesce((
                   SELECT threadline.base_type(pg_catalog.to_regtype(c.type)) NOT IN (
                       'pg_catalog.float4'::pg_catalog.regtype, 'pg_catalog.float8'::pg_catalog.regtype,
                       'pg_catalog.json'::pg_catalog.regtype, 'pg_catalog.jsonb'::pg_catalog.regtype)
                   FROM pg_catalog.jsonb_to_recordset(columns) AS c (name pg_catalog.text, type pg_catalog.text)
                   WHERE c.name = field.key), false))), '{}')
END;
