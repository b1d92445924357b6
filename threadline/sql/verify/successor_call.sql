-- Returns the call that audits the table which took the name of an audited one, under the policy
-- of that one: a copy that replaces it, and continues its history, or the table created anew, for
-- which `former` is the table itself. Also excludes what the policy withheld without naming it,
-- columns that came since if it redacts any, and those whose names suggest a secret: nobody
-- decided to record these.
CREATE OR REPLACE FUNCTION threadline.successor_call(audited_table integer, former regclass, target regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off
-- As text: a parsed body is shown differently after a restore.
AS $$
    SELECT threadline.audit_call(t.id, target, ARRAY(
        SELECT c.name
        FROM threadline.columns_of(target) AS c
        LEFT JOIN threadline.column_policy(t.id, former) AS was ON was.name = c.name
        WHERE NOT t.policy ? 'columns'
          AND c.name NOT IN (SELECT k.name FROM threadline.key_columns_of(target) AS k)
          -- Named by the policy, under the present name.
          AND c.name NOT IN (
              SELECT coalesce(live.name, said.name)
              FROM threadline.column_policies(t.policy) AS said
              LEFT JOIN jsonb_to_recordset(t.columns) AS known (number smallint, name text) ON known.name = said.name
              LEFT JOIN threadline.columns_of(former) AS live ON live.number = known.number AND t.relation = former)
          -- A generated column follows the columns that it is made from.
          AND NOT EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = target AND a.attnum = c.number AND a.attgenerated <> '')
          AND (was.column_policy <> 'plain'
               OR was.column_policy IS NULL AND threadline.redacts(t.policy)
               OR c.name IN (SELECT s.name FROM threadline.secret_columns(target) AS s))
        ORDER BY c.number), nullif(former::oid, target::oid))
    FROM threadline.audited_tables AS t
    WHERE t.id = audited_table;
$$;
