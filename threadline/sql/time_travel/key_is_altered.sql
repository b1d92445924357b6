-- Returns whether a command altered a column of a table's key, so that the key of a record has values
-- that its images lack. A keyed hash does not have them.
CREATE OR REPLACE FUNCTION threadline.key_is_altered(audited_table integer, alterations jsonb) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
RETURN alterations IS NOT NULL AND EXISTS (
    SELECT FROM threadline.audited_tables AS t
    WHERE t.id = audited_table
      AND NOT coalesce(t.policy -> 'hash' ?| t.key_columns, false)
      AND EXISTS (
          SELECT FROM jsonb_to_recordset(alterations) AS a (name text, cuts boolean)
          WHERE a.cuts AND a.name = ANY (t.key_columns)));
