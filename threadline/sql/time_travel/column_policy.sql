-- Returns the columns of a table under today's names, and how each is shown. Fails closed like
-- redaction_now(): on a table with redaction a column is plain only if it can be traced to one
-- that the policy left plain, by number while the table keeps its OID, by name after a restore.
-- For a reader a keyed hash counts as a mask: it shows no value.
CREATE OR REPLACE FUNCTION threadline.column_policy(
    audited_table integer, target regclass,
    OUT name text, OUT type regtype, OUT column_policy text, OUT plain_since timestamptz
) RETURNS SETOF record
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH known AS (
        SELECT k.number, k.name, k.column_policy, k.plain_since, t.relation
        FROM threadline.audited_tables AS t
        CROSS JOIN jsonb_to_recordset(t.columns) AS k (number smallint, name text, column_policy text, plain_since timestamptz)
        WHERE t.id = audited_table
    )
    SELECT live.name, live.type,
           CASE WHEN NOT EXISTS (SELECT FROM known AS k WHERE k.column_policy <> 'plain') THEN 'plain'
                WHEN 'exclude' IN (itself.column_policy, namesake.column_policy) THEN 'exclude'
                WHEN itself.column_policy IN ('mask', 'hash') OR namesake.column_policy IN ('mask', 'hash') THEN 'mask'
                WHEN itself.column_policy = 'plain' THEN 'plain'
                ELSE 'exclude' END,
           itself.plain_since
    FROM (
        -- As threadline.columns_of() has them, but planned once.
        SELECT a.attnum AS number, a.atttypid::regtype AS type,
               (pg_identify_object_as_address('pg_class'::regclass, target, a.attnum)).object_names[3] AS name
        FROM pg_attribute AS a
        WHERE a.attrelid = target AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> 'v'
    ) AS live
    LEFT JOIN known AS itself
        ON CASE WHEN itself.relation = target THEN itself.number = live.number ELSE itself.name = live.name END
    LEFT JOIN known AS namesake ON namesake.name = live.name;
END
$$;
