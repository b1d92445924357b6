-- A policy as it is recorded. Columns are sorted, so that equal policies are
-- equal documents.
CREATE FUNCTION threadline.policy(mask text[], exclude text[], require_actor boolean) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN pg_catalog.jsonb_build_object(
    'mask', (SELECT coalesce(pg_catalog.jsonb_agg(DISTINCT c ORDER BY c), '[]') FROM pg_catalog.unnest(mask) AS c),
    'exclude', (SELECT coalesce(pg_catalog.jsonb_agg(DISTINCT c ORDER BY c), '[]') FROM pg_catalog.unnest(exclude) AS c),
    'require_actor', require_actor
);
