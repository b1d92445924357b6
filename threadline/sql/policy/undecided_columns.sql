-- Returns the columns whose names suggest a secret and that a rebuild under a policy would begin
-- to record: they came after the capture of a table with redaction was built, and are left
-- unrecorded until then.
CREATE OR REPLACE FUNCTION threadline.undecided_columns(audited_table integer, target regclass, policy jsonb) RETURNS text[]
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT ARRAY(
        SELECT s.name
        FROM threadline.audited_tables AS t
        CROSS JOIN LATERAL threadline.secret_columns(target) AS s
        WHERE t.id = audited_table
          AND NOT undecided_columns.policy ? 'columns'
          AND jsonb_path_exists(t.columns, '$[*] ? (@.column_policy <> "plain")')
          AND NOT EXISTS (
              SELECT
              FROM jsonb_to_recordset(t.columns) AS k (number smallint, name text)
              WHERE CASE WHEN t.relation = target THEN k.number = s.number ELSE k.name = s.name END)
          AND s.name NOT IN (SELECT p.name FROM threadline.column_policies(undecided_columns.policy) AS p)
          AND threadline.policy_of_column(target, s.number, undecided_columns.policy) = 'plain'
        ORDER BY s.number);
END;
