-- Returns a policy as it is recorded. Columns are sorted, so that equal policies are equal
-- documents; options that were not given are left out.
CREATE OR REPLACE FUNCTION threadline.policy(
    mask text[], exclude text[], require_actor boolean, columns text[], operations text[], condition text,
    plain text[], hash text[], ignore text[] DEFAULT '{}', keep text DEFAULT NULL,
    personal text[] DEFAULT '{}', subject jsonb DEFAULT NULL
) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(
    'mask', (SELECT coalesce(pg_catalog.jsonb_agg(DISTINCT c ORDER BY c), '[]') FROM pg_catalog.unnest(mask) AS c),
    'exclude', (SELECT coalesce(pg_catalog.jsonb_agg(DISTINCT c ORDER BY c), '[]') FROM pg_catalog.unnest(exclude) AS c),
    'require_actor', require_actor,
    'columns', (SELECT pg_catalog.jsonb_agg(DISTINCT c ORDER BY c) FROM pg_catalog.unnest(columns) AS c),
    'operations', (SELECT pg_catalog.jsonb_agg(DISTINCT o ORDER BY o) FROM pg_catalog.unnest(operations) AS o),
    'condition', condition,
    'plain', (SELECT pg_catalog.jsonb_agg(DISTINCT c ORDER BY c) FROM pg_catalog.unnest(plain) AS c),
    'hash', (SELECT pg_catalog.jsonb_agg(DISTINCT c ORDER BY c) FROM pg_catalog.unnest(hash) AS c),
    'ignore', (SELECT pg_catalog.jsonb_agg(DISTINCT c ORDER BY c) FROM pg_catalog.unnest(ignore) AS c),
    'keep', keep,
    'personal', (SELECT pg_catalog.jsonb_agg(DISTINCT c ORDER BY c) FROM pg_catalog.unnest(personal) AS c),
    'subject', nullif(subject, '{}')
));
