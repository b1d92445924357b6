-- Returns the call that audits a table again under its recorded policy and also excludes the
-- columns in `excluding`. With `continues`, the table replaces that one under its policy, of which
-- columns that the table does not have are left out.
CREATE OR REPLACE FUNCTION threadline.audit_call(
    audited_table integer, target regclass, excluding text[] DEFAULT '{}', continues regclass DEFAULT NULL
) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off
-- As text: a parsed body is shown differently after a restore.
AS $$
    SELECT format('SELECT threadline.audit_as_decided(%s);', concat_ws(', ', quote_literal(target::text), (
        SELECT string_agg(format('%s => %s', a.name, a.value), ', ' ORDER BY array_position(
            '{mask,exclude,require_actor,keyless,columns,operations,condition,plain,hash,ignore,keep,personal,subject,continues}'::text[], a.name))
        FROM (
            -- Columns under their present names.
            SELECT named.list, CASE named.list
                WHEN 'subject' THEN quote_literal(jsonb_object_agg(coalesce(live.name, named.column), named.names))
                ELSE format('ARRAY[%s]', string_agg(quote_literal(coalesce(live.name, named.column)), ', ' ORDER BY named.column)) END
            FROM (
                SELECT option.key, c.name, NULL::jsonb
                FROM jsonb_each(t.policy) AS option
                CROSS JOIN LATERAL jsonb_array_elements_text(CASE WHEN jsonb_typeof(option.value) = 'array' THEN option.value END) AS c (name)
                WHERE option.key <> 'operations'
                UNION ALL
                SELECT 'exclude', c, NULL FROM unnest(excluding) AS c
                UNION ALL
                SELECT 'subject', f.key, f.value FROM jsonb_each(t.policy -> 'subject') AS f
            ) AS named (list, "column", names)
            LEFT JOIN jsonb_to_recordset(t.columns) AS k (number smallint, name text) ON k.name = named.column
            LEFT JOIN threadline.columns_of(coalesce(continues, target)) AS live
                ON live.number = k.number AND t.relation = coalesce(continues, target)
            WHERE continues IS NULL OR coalesce(live.name, named.column) IN (SELECT c.name FROM threadline.columns_of(target) AS c)
            GROUP BY named.list
            UNION ALL
            SELECT 'operations', format('ARRAY[%s]', string_agg(quote_literal(o), ', '))
            FROM jsonb_array_elements_text(t.policy -> 'operations') AS o
            HAVING count(*) > 0
            UNION ALL
            SELECT option.key, quote_literal(option.value)
            FROM jsonb_each_text(t.policy) AS option
            WHERE option.key IN ('condition', 'keep')
            UNION ALL
            SELECT 'require_actor', 'true' WHERE (t.policy -> 'require_actor')::boolean
            UNION ALL
            SELECT 'keyless', 'true' WHERE t.key_columns = '{}'
            UNION ALL
            SELECT 'continues', quote_literal(continues::text) WHERE continues IS NOT NULL
        ) AS a (name, value))))
    FROM threadline.audited_tables AS t
    WHERE t.id = audited_table;
$$;
