-- Returns whether an image names one of the keys, as threadline.keys_named() returns them, in one
-- of the columns.
CREATE OR REPLACE FUNCTION threadline.names_person(image jsonb, names text[], keys text[], key_type text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN image IS NOT NULL AND EXISTS (
    SELECT FROM pg_catalog.unnest(names) AS n
    WHERE image ? n AND threadline.key_named(image -> n, key_type) = ANY (keys));
