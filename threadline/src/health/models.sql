-- How the tables of models are audited, in one query for all of them.
SELECT DISTINCT ON (m.ordinal)
       named.name,
       t.id IS NOT NULL AS audited,
       coalesce(t.policy = asked.policy, false) AS same_policy,
       CASE WHEN t.policy <> asked.policy THEN threadline.in_force_until(t.id, asked.policy) END AS in_force_until
FROM pg_catalog.jsonb_to_recordset($1) AS m (
    ordinal integer, "table" text, mask text[], exclude text[], require_actor boolean, columns text[], operations text[],
    condition text, plain text[], hash text[], ignore text[], keep text, personal text[], subject jsonb)
-- Under the caller's search_path, as the caller's own queries are.
CROSS JOIN LATERAL (SELECT pg_catalog.to_regclass(m."table") AS relation OFFSET 0) AS resolved
LEFT JOIN LATERAL (
    SELECT c.oid AS relation, threadline.qualified(n.nspname, c.relname) AS name
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.oid = resolved.relation
) AS named ON true
CROSS JOIN LATERAL (
    SELECT threadline.policy(m.mask, m.exclude, m.require_actor, m.columns, m.operations, m.condition, m.plain, m.hash, m.ignore, m.keep, m.personal, m.subject) AS policy OFFSET 0
) AS asked
LEFT JOIN threadline.audited_tables AS same ON same.relation = named.relation AND same.unaudited_at IS NULL
-- By its OID, unless the table was restored.
LEFT JOIN threadline.audited_tables AS t ON t.id = coalesce(same.id, threadline.audited_table_of(named.relation))
ORDER BY m.ordinal, t.id DESC
