-- Returns the call that audits a table again under its recorded policy and also excludes the
-- columns in `excluding`.
CREATE OR REPLACE FUNCTION threadline.audit_call(audited_table integer, target regclass, excluding text[] DEFAULT '{}') RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
-- As text: a parsed body is shown differently after a restore.
AS $$
    SELECT format('SELECT threadline.audit_as_decided(%L', target)
        || coalesce(', mask => ARRAY[' || string_agg(quote_literal(coalesce(live.name, decided.name)), ', ' ORDER BY decided.name)
               FILTER (WHERE decided.column_policy = 'mask') || ']', '')
        || coalesce(', exclude => ARRAY[' || string_agg(quote_literal(coalesce(live.name, decided.name)), ', ' ORDER BY decided.name)
               FILTER (WHERE decided.column_policy = 'exclude') || ']', '')
        || CASE WHEN (t.policy -> 'require_actor')::boolean THEN ', require_actor => true' ELSE '' END
        || CASE WHEN t.key_columns = '{}' THEN ', keyless => true' ELSE '' END
        || coalesce(', columns => ARRAY[' || string_agg(quote_literal(coalesce(live.name, decided.name)), ', ' ORDER BY decided.name)
               FILTER (WHERE decided.column_policy = 'record') || ']', '')
        || coalesce(', operations => ARRAY[' || (
               SELECT string_agg(quote_literal(o), ', ') FROM jsonb_array_elements_text(t.policy -> 'operations') AS o) || ']', '')
        || coalesce(', condition => ' || quote_literal(t.policy ->> 'condition'), '')
        || coalesce(', plain => ARRAY[' || string_agg(quote_literal(coalesce(live.name, decided.name)), ', ' ORDER BY decided.name)
               FILTER (WHERE decided.column_policy = 'plain') || ']', '')
        || coalesce(', hash => ARRAY[' || string_agg(quote_literal(coalesce(live.name, decided.name)), ', ' ORDER BY decided.name)
               FILTER (WHERE decided.column_policy = 'hash') || ']', '')
        || coalesce(', ignore => ARRAY[' || string_agg(quote_literal(coalesce(live.name, decided.name)), ', ' ORDER BY decided.name)
               FILTER (WHERE decided.column_policy = 'ignore') || ']', '')
        || coalesce(', keep => ' || quote_literal(t.policy ->> 'keep'), '')
        || coalesce(', personal => ARRAY[' || string_agg(quote_literal(coalesce(live.name, decided.name)), ', ' ORDER BY decided.name)
               FILTER (WHERE decided.column_policy = 'personal') || ']', '')
        || coalesce(', subject => ' || quote_literal(jsonb_object_agg(coalesce(live.name, decided.name), t.policy -> 'subject' -> decided.name)
               FILTER (WHERE decided.column_policy = 'subject')), '')
        || ');'
    FROM threadline.audited_tables AS t
    LEFT JOIN LATERAL (
        SELECT name, 'mask' AS column_policy FROM jsonb_array_elements_text(t.policy -> 'mask') AS name
        UNION ALL
        SELECT name, 'exclude' FROM jsonb_array_elements_text(t.policy -> 'exclude') AS name
        UNION ALL
        SELECT name, 'record' FROM jsonb_array_elements_text(t.policy -> 'columns') AS name
        UNION ALL
        SELECT name, 'plain' FROM jsonb_array_elements_text(t.policy -> 'plain') AS name
        UNION ALL
        SELECT name, 'ignore' FROM jsonb_array_elements_text(t.policy -> 'ignore') AS name
        UNION ALL
        SELECT name, 'hash' FROM jsonb_array_elements_text(t.policy -> 'hash') AS name
        UNION ALL
        SELECT name, 'personal' FROM jsonb_array_elements_text(t.policy -> 'personal') AS name
        UNION ALL
        SELECT name, 'subject' FROM jsonb_object_keys(t.policy -> 'subject') AS name
        UNION ALL
        SELECT name, 'exclude' FROM unnest(excluding) AS name
    ) AS decided ON true
    LEFT JOIN jsonb_to_recordset(t.columns) AS k (number smallint, name text) ON k.name = decided.name
    LEFT JOIN threadline.columns_of(target) AS live ON live.number = k.number AND t.relation = target
    WHERE t.id = audited_table
    GROUP BY t.id;
$$;
