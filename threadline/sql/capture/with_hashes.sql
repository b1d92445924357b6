-- Returns a row's redacted image with keyed hashes in place of placeholders. `hashes` names the
-- key of each column.
CREATE OR REPLACE FUNCTION threadline.with_hashes(image jsonb, whole jsonb, hashes jsonb) RETURNS jsonb
LANGUAGE sql STABLE
RETURN image || coalesce((
    SELECT pg_catalog.jsonb_object_agg(t.key, threadline.hash(t.value::pg_catalog.int4, whole -> t.key))
    FROM pg_catalog.jsonb_each(hashes) AS t
    WHERE image ? t.key), '{}');
