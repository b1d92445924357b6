-- Returns the key columns of an audited table under their present names and types, which may
-- differ from those that its capture function was built for. For a column recorded as a keyed
-- hash, `type` is that of the hash and `hash_of` the name in the policy.
CREATE OR REPLACE FUNCTION threadline.live_key(
    audited_table integer,
    OUT ordinal bigint, OUT name text, OUT type text, OUT single boolean, OUT hash_of text, OUT column_type text
) RETURNS SETOF record
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off AS $$
#variable_conflict use_column
DECLARE
    tl_relation oid;
BEGIN
    SELECT t.relation INTO tl_relation FROM threadline.audited_tables AS t WHERE t.id = audited_table;
    IF EXISTS (
        SELECT
        FROM threadline.audited_tables AS t
        CROSS JOIN ROWS FROM (unnest(t.key_columns), unnest(t.key_types)) AS k (name, type)
        LEFT JOIN jsonb_to_recordset(t.columns) AS c (number smallint, name text, type text, column_policy text) ON c.name = k.name
        LEFT JOIN pg_attribute AS a ON a.attrelid = t.relation AND a.attnum = c.number AND NOT a.attisdropped
        WHERE t.id = audited_table AND (a.attname = k.name AND a.atttypid::regtype::text = CASE c.column_policy WHEN 'hash' THEN c.type ELSE k.type END) IS NOT TRUE
    ) AND threadline.audited_table_of(tl_relation) IS DISTINCT FROM audited_table THEN
        -- Another table has the number now.
        tl_relation := NULL;
    END IF;
    RETURN QUERY
    SELECT k.ordinal, coalesce(a.attname::text, k.name), CASE c.column_policy WHEN 'hash' THEN k.type ELSE now.type END,
           cardinality(t.key_columns) = 1, CASE c.column_policy WHEN 'hash' THEN k.name END, now.type
    FROM threadline.audited_tables AS t
    CROSS JOIN ROWS FROM (unnest(t.key_columns), unnest(t.key_types)) WITH ORDINALITY AS k (name, type, ordinal)
    LEFT JOIN jsonb_to_recordset(t.columns) AS c (number smallint, name text, type text, column_policy text) ON c.name = k.name
    LEFT JOIN pg_attribute AS a ON a.attrelid = tl_relation AND a.attnum = c.number AND NOT a.attisdropped
    CROSS JOIN LATERAL (SELECT coalesce(a.atttypid::regtype::text, CASE c.column_policy WHEN 'hash' THEN c.type ELSE k.type END) AS type) AS now
    WHERE t.id = audited_table;
END
$$;
