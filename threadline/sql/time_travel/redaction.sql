-- Returns which columns of a table's images as of an instant must not be shown, or are not known:
-- `hidden` columns are left out, `masks` have placeholders. A model's row gets `filled` and lacks
-- `unreadable`: a placeholder that is not a text would be taken for a value. An unmasked read
-- shows what was recorded of a column before it was masked; an excluded column may have changed
-- since without a record.
CREATE OR REPLACE FUNCTION threadline.redaction(
    audited_table integer, target regclass, instant timestamptz,
    OUT columns text[], OUT hidden text[], OUT masks jsonb, OUT filled jsonb, OUT unreadable text[]
)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
#variable_conflict use_column
BEGIN
    SELECT coalesce(array_agg(c.name ORDER BY c.name) FILTER (WHERE c.column_policy <> 'plain'), '{}'),
           coalesce(array_agg(c.name) FILTER (WHERE c.column_policy = 'exclude'), '{}'),
           coalesce(jsonb_object_agg(c.name, threadline.placeholder(c.type)) FILTER (WHERE c.column_policy = 'mask'), '{}'),
           coalesce(jsonb_object_agg(c.name, '***'::text) FILTER (WHERE c.column_policy = 'exclude' AND p.typcategory = 'S'), '{}'),
           coalesce(array_agg(c.name) FILTER (WHERE c.column_policy <> 'plain' AND p.typcategory <> 'S'), '{}')
    INTO columns, hidden, masks, filled, unreadable
    FROM (
        SELECT policy.name, policy.type,
               -- The audit does not have its values from before it became plain.
               CASE WHEN policy.plain_since > instant THEN 'exclude' ELSE policy.column_policy END AS column_policy
        FROM threadline.column_policy(audited_table, target) AS policy
    ) AS c
    JOIN pg_type AS p ON p.oid = c.type;
    IF threadline.unmasked() THEN
        masks := '{}';
    END IF;
    -- Columns that were redacted when they were dropped.
    hidden := hidden || ARRAY(
        SELECT gone.name
        FROM threadline.audited_tables AS t
        CROSS JOIN unnest(t.masked_columns) AS gone (name)
        WHERE t.id = audited_table
          AND NOT EXISTS (SELECT FROM threadline.column_policy(audited_table, target) AS live WHERE live.name = gone.name));
END
$$;
