-- Where a table's capture functions are not what threadline.audit() writes; to be
-- asked when columns and version are those that they were written for.
CREATE FUNCTION threadline.function_drift(audited_table integer, target regclass) RETURNS SETOF threadline.finding
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off
AS $$
DECLARE
    tl_owner oid := (SELECT c.relowner FROM pg_class AS c WHERE c.oid = target);
BEGIN
    RETURN QUERY
    SELECT 'function-altered', target::text,
           format(CASE WHEN p.oid IS NULL THEN 'function threadline.%I is missing'
                       WHEN p.prosrc <> written.source THEN 'the source of function threadline.%I is not what was written'
                       ELSE 'function threadline.%I has other settings or rights than it was made with' END, written.name),
           threadline.mending(audited_table, target)
    FROM threadline.audited_tables AS t
    CROSS JOIN LATERAL threadline.capture_functions(t.id) AS f
    CROSS JOIN LATERAL (
        -- A restore gives the table another OID, and the functions keep the old one.
        SELECT f.name, replace(replace(
            threadline.capture_source(t.id, target, f.operation),
            '"relation": ' || target::oid, '"relation": ' || t.relation),
            quote_literal(target::oid) || '::oid', quote_literal(t.relation) || '::oid') AS source
    ) AS written
    LEFT JOIN pg_proc AS p ON p.oid = to_regproc('threadline.' || written.name)
    LEFT JOIN pg_language AS l ON l.oid = p.prolang
    WHERE t.id = audited_table AND (
        p.oid IS NULL
        OR p.prosrc <> written.source
        OR l.lanname <> 'plpgsql'
        OR NOT p.prosecdef
        -- PostgreSQL shows names its own way: TimeZone.
        OR ARRAY(
            SELECT lower(split_part(c, '=', 1)) || '=' || substr(c, strpos(c, '=') + 1) FROM unnest(p.proconfig) AS c ORDER BY 1
        ) IS DISTINCT FROM ARRAY(
            SELECT 'search_path=pg_catalog, threadline, pg_temp'
            UNION ALL
            SELECT pin[1] || '=' || pin[2]
            FROM regexp_matches(threadline.pinned_settings(target), 'SET ([a-z_]+) = ''([^'']*)''', 'g') AS pin
            ORDER BY 1)
        -- For the table's owner alone, of whom PostgreSQL asks for it to make a partition.
        OR NOT has_function_privilege(tl_owner, p.oid, 'EXECUTE')
        OR EXISTS (
            SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS granted
            WHERE granted.grantee NOT IN (p.proowner, tl_owner)));
END
$$;
