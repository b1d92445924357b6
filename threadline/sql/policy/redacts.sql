-- Returns whether a policy keeps any column of a row from the audit.
CREATE OR REPLACE FUNCTION threadline.redacts(policy jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN policy OPERATOR(pg_catalog.?) 'columns'
    OR EXISTS (SELECT FROM threadline.column_policies(policy) AS p WHERE p.column_policy <> 'plain');
