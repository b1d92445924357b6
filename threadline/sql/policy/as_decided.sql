-- Returns the id under which a table is audited if its audit matches a policy in every part; else
-- NULL. The retention and the subjects are not compared, because capture does not depend on them.
CREATE OR REPLACE FUNCTION threadline.as_decided(target regclass, policy jsonb) RETURNS integer
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT t.id
    FROM threadline.audited_tables AS t
    JOIN pg_class AS c ON c.oid = target
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE t.id = threadline.audited_table_of(target) AND t.policy - '{keep,personal,subject}'::text[] = as_decided.policy - '{keep,personal,subject}'::text[]
      AND (t.schema_name, t.table_name) = (n.nspname, c.relname)
      AND threadline.hash_keys_match(t.id)
      AND NOT EXISTS (SELECT FROM threadline.trigger_drift(t.id, target))
      AND NOT EXISTS (SELECT FROM threadline.column_drift(t.id, target))
      AND NOT EXISTS (SELECT FROM threadline.function_drift(t.id, target))
      AND threadline.columns_noted(t.id, target);
END;
