-- Returns the columns that a policy names with a column policy. If a value derives from several
-- columns, the column policy with the lowest rank applies to it.
CREATE OR REPLACE FUNCTION threadline.column_policies(policy jsonb, OUT name text, OUT column_policy text, OUT rank bigint) RETURNS SETOF record
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
    SELECT named.name, p.column_policy, p.rank
    FROM pg_catalog.unnest('{exclude,mask,hash,plain}'::text[]) WITH ORDINALITY AS p (column_policy, rank)
    CROSS JOIN LATERAL pg_catalog.jsonb_array_elements_text(policy OPERATOR(pg_catalog.->) p.column_policy) AS named (name);
END;
