-- Returns whether a column is recorded as a keyed hash, by the columns of its audited table.
CREATE OR REPLACE FUNCTION threadline.is_hash(columns jsonb, name text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN columns OPERATOR(pg_catalog.@>) pg_catalog.jsonb_build_array(pg_catalog.jsonb_build_object('name', name, 'column_policy', 'hash'));
