-- What a masked value is stored as: of the JSON type that the column has, so
-- that readers meet no surprise. NULL stays NULL.
CREATE FUNCTION threadline.placeholder(type regtype) RETURNS jsonb
LANGUAGE sql STABLE
RETURN (
    SELECT CASE
        WHEN t.oid IN ('json'::pg_catalog.regtype, 'jsonb'::pg_catalog.regtype) THEN '{}'::pg_catalog.jsonb
        WHEN t.typcategory = 'A' THEN '[]'::pg_catalog.jsonb
        WHEN t.typcategory = 'B' THEN 'false'::pg_catalog.jsonb
        WHEN t.typcategory = 'N' AND t.oid NOT IN ('money'::pg_catalog.regtype) THEN '0'::pg_catalog.jsonb
        ELSE '"***"'::pg_catalog.jsonb
    END
    FROM pg_catalog.pg_type AS t
    WHERE t.oid = type
);
