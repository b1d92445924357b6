-- Returns the stored form of a masked value. It has the JSON type that to_jsonb gives the
-- column's values, so that readers can parse it. NULL stays NULL.
CREATE OR REPLACE FUNCTION threadline.placeholder(type regtype) RETURNS jsonb
LANGUAGE sql STABLE
RETURN (
    SELECT CASE
        WHEN t.oid IN ('json'::pg_catalog.regtype, 'jsonb'::pg_catalog.regtype) OR t.typtype = 'c' THEN '{}'::pg_catalog.jsonb
        WHEN t.typcategory = 'A' THEN '[]'::pg_catalog.jsonb
        WHEN t.oid = 'bool'::pg_catalog.regtype THEN 'false'::pg_catalog.jsonb
        WHEN t.oid IN ('int2'::pg_catalog.regtype, 'int4'::pg_catalog.regtype, 'int8'::pg_catalog.regtype,
                       'float4'::pg_catalog.regtype, 'float8'::pg_catalog.regtype, 'numeric'::pg_catalog.regtype) THEN '0'::pg_catalog.jsonb
        ELSE '"***"'::pg_catalog.jsonb
    END
    FROM pg_catalog.pg_type AS t
    WHERE t.oid = threadline.base_type(type)
);
