-- The key columns of an audited table under the names and types that they have
-- now, which may be others than its capture function was built for.
CREATE FUNCTION threadline.live_key(
    audited_table integer,
    OUT ordinal bigint, OUT name text, OUT type text, OUT single boolean
) RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    tl_relation oid;
BEGIN
    SELECT t.relation INTO tl_relation FROM threadline.audited_tables AS t WHERE t.id = audited_table;
    IF EXISTS (
        SELECT
        FROM threadline.audited_tables AS t
        CROSS JOIN ROWS FROM (unnest(t.key_columns), unnest(t.key_types)) AS k (name, type)
        LEFT JOIN jsonb_to_recordset(t.columns) AS c (number smallint, name text) ON c.name = k.name
        LEFT JOIN pg_attribute AS a ON a.attrelid = t.relation AND a.attnum = c.number AND NOT a.attisdropped
        WHERE t.id = audited_table AND (a.attname = k.name AND a.atttypid::regtype::text = k.type) IS NOT TRUE
    ) AND threadline.audited_table_of(tl_relation) IS DISTINCT FROM audited_table THEN
        -- Another table has the number now.
        tl_relation := NULL;
    END IF;
    RETURN QUERY
    SELECT k.ordinal, coalesce(a.attname::text, k.name), coalesce(a.atttypid::regtype::text, k.type), cardinality(t.key_columns) = 1
    FROM threadline.audited_tables AS t
    CROSS JOIN ROWS FROM (unnest(t.key_columns), unnest(t.key_types)) WITH ORDINALITY AS k (name, type, ordinal)
    LEFT JOIN jsonb_to_recordset(t.columns) AS c (number smallint, name text) ON c.name = k.name
    LEFT JOIN pg_attribute AS a ON a.attrelid = tl_relation AND a.attnum = c.number AND NOT a.attisdropped
    WHERE t.id = audited_table;
END
$$;
