-- Fails for a policy that would record a column which is redacted now and had another name,
-- unless the policy names it: a policy that lost the former name does not decide to record it.
CREATE OR REPLACE FUNCTION threadline.ask_about_renamed(target regclass, policy jsonb) RETURNS void
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_column record;
BEGIN
    FOR tl_column IN
        SELECT live.name, k.column_policy, former.name AS former_name
        FROM threadline.audited_tables AS t
        CROSS JOIN jsonb_to_recordset(t.columns) AS k (number smallint, name text, column_policy text)
        JOIN threadline.columns_of(target) AS live ON live.number = k.number
        CROSS JOIN LATERAL (
            SELECT CASE WHEN k.name <> live.name THEN k.name
                        ELSE (SELECT r.former_name FROM threadline.renamed_columns AS r
                              WHERE r.table_id = t.id AND r.name = k.name
                              ORDER BY r.renamed_at DESC
                              LIMIT 1) END AS name
        ) AS former
        WHERE t.id = threadline.audited_table_of(target) AND t.relation = target
          AND k.column_policy <> 'plain' AND former.name IS NOT NULL
          AND NOT ask_about_renamed.policy ? 'columns'
          AND live.name NOT IN (SELECT p.name FROM threadline.column_policies(ask_about_renamed.policy) AS p)
          AND threadline.policy_of_column(target, live.number, ask_about_renamed.policy) = 'plain'
        ORDER BY k.number
    LOOP
        RAISE EXCEPTION 'threadline: column % of table % was % and is redacted (%), and this policy would record it; name it in %, or in plain to record it',
            tl_column.name, target, tl_column.former_name, tl_column.column_policy, tl_column.column_policy;
    END LOOP;
END
$$;
