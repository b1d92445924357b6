-- Returns until when a table was audited under a policy that has been replaced since; NULL if it
-- never was. This shows whether a process that expects the policy is older than the database, as
-- in a rolling deploy, or newer.
CREATE OR REPLACE FUNCTION threadline.in_force_until(audited_table integer, policy jsonb) RETURNS timestamptz
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT max(a.occurred_at)
    FROM threadline.audit_actions AS a
    WHERE a.name IN ('audit.policy_changed', 'audit.restarted') AND a.transaction_id IS NOT NULL
      AND a.meta -> 'table_id' = to_jsonb(audited_table) AND a.meta -> 'former_policy' = in_force_until.policy;
END;
