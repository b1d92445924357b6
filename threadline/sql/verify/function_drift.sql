-- Returns the differences between a table's capture function and the one that threadline.audit()
-- writes; only meaningful if columns and version match.
CREATE OR REPLACE FUNCTION threadline.function_drift(audited_table integer, target regclass) RETURNS SETOF threadline.finding
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off
SET standard_conforming_strings = on AS $$
BEGIN
    RETURN QUERY
    SELECT 'function-altered', target::text,
           format(CASE WHEN p.oid IS NULL THEN 'function threadline.capture_%s is missing'
                       WHEN p.prosrc <> written.source THEN 'the source of function threadline.capture_%s is not what was written'
                       ELSE 'function threadline.capture_%s has another owner or other settings than it was made with' END, t.id),
           threadline.fix_for(audited_table, target)
    FROM threadline.audited_tables AS t
    CROSS JOIN LATERAL (
        -- A restore gives the table another OID, and the function keeps the old one.
        SELECT replace(replace(replace(
            threadline.capture_source(t.id, target),
            '"relation": ' || target::oid, '"relation": ' || t.relation),
            quote_literal(target::oid) || '::pg_catalog.oid', quote_literal(t.relation) || '::pg_catalog.oid'),
            format('TG_NAME, %s)', target::oid), format('TG_NAME, %s)', t.relation)) AS source
        -- Once, and not for each comparison.
        OFFSET 0
    ) AS written
    LEFT JOIN pg_proc AS p ON p.oid = to_regproc('threadline.capture_' || t.id)
    LEFT JOIN pg_language AS l ON l.oid = p.prolang
    WHERE t.id = audited_table AND (
        p.oid IS NULL
        OR p.prosrc <> written.source
        OR l.lanname <> 'plpgsql'
        OR NOT p.prosecdef
        OR p.proowner <> (SELECT n.nspowner FROM pg_namespace AS n WHERE n.oid = p.pronamespace)
        -- PostgreSQL writes names of settings its own way: TimeZone. A function created under
        -- quote_all_identifiers has quotes in its search_path.
        OR ARRAY(
            SELECT lower(split_part(c, '=', 1)) || '=' || regexp_replace(substr(c, strpos(c, '=') + 1), '"([a-z_][a-z0-9_]*)"', '\1', 'g')
            FROM unnest(p.proconfig) AS c ORDER BY 1
        ) IS DISTINCT FROM ARRAY(
            SELECT pin[1] || '=' || btrim(pin[2], '''')
            FROM regexp_matches(threadline.pinned_settings(t.id, target, written.source), 'SET ([a-z_]+) = (''[^'']*''|pg_catalog, threadline, pg_temp)', 'g') AS pin
            ORDER BY 1));
END
$$;
