-- Returns a row's redacted image with keyed hashes in place of placeholders. `tokens` names the
-- key of each column.
CREATE FUNCTION threadline.with_tokens(image jsonb, whole jsonb, tokens jsonb) RETURNS jsonb
LANGUAGE sql STABLE
RETURN image || coalesce((
    SELECT pg_catalog.jsonb_object_agg(t.key, threadline.token(t.value::pg_catalog.int4, whole -> t.key))
    FROM pg_catalog.jsonb_each(tokens) AS t
    WHERE image ? t.key), '{}');
