-- Returns whether the columns of a relation are those that its capture was built for: the same
-- columns, names and types and, where any are redacted, the same generation expressions of the
-- plain ones. While the table keeps its OID, the column numbers must match too; a restore closes
-- the gaps that dropped columns left.
CREATE OR REPLACE FUNCTION threadline.columns_match(relation oid, built_for jsonb) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off AS $$
DECLARE
    tl_redacts boolean := jsonb_path_exists(built_for, '$.columns[*] ? (@.column_policy <> "plain")');
BEGIN
    RETURN EXISTS (SELECT FROM pg_class AS c WHERE c.oid = relation) AND NOT EXISTS (
        SELECT
        FROM threadline.present_columns(relation) AS now
        FULL JOIN jsonb_to_recordset(built_for -> 'columns') AS k (number smallint, name text, type text, column_policy text, generation_expression text)
            ON k.name = now.name AND k.type = now.type::text
        WHERE now.number IS NULL OR k.number IS NULL
           OR (k.number <> now.number AND relation = (built_for ->> 'relation')::oid)
           -- A column that is generated from a redacted one is known by its expression.
           OR (k.column_policy = 'plain' AND tl_redacts
               AND threadline.generation_of(relation, now.number) IS DISTINCT FROM k.generation_expression));
END
$$;
