-- Returns the faults of the audited tables that one query of the catalogs shows: triggers that
-- are missing, do not fire or fire for something else, and columns that changed. For a health
-- check every few seconds; threadline.table_drift() compares the capture functions and the
-- audit's own objects, too.
CREATE OR REPLACE FUNCTION threadline.structure_drift() RETURNS SETOF threadline.finding
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off
SET jit = off AS $$
BEGIN
    RETURN QUERY
    WITH audited AS MATERIALIZED (
        SELECT t.id, t.schema_name, t.table_name, t.policy, t.columns, t.capture_version, t.relation AS built_for,
               to_regproc('threadline.capture_' || t.id)::oid AS function,
               -- The slow query runs only where the fast one finds nothing.
               CASE WHEN g.oid IS NOT NULL AND g.tgfoid = to_regproc('threadline.capture_' || t.id) THEN t.relation
                    ELSE threadline.locate_table(t.id)::oid END AS relation
        FROM threadline.audited_tables AS t
        LEFT JOIN pg_trigger AS g ON g.tgrelid = t.relation AND g.tgname = ('!threadline_capture_' || t.id)::name
        WHERE t.unaudited_at IS NULL
    ), part AS MATERIALIZED (
        SELECT a.id, a.relation AS part FROM audited AS a WHERE a.relation IS NOT NULL
        UNION
        SELECT a.id, p.relid
        FROM audited AS a
        JOIN pg_class AS c ON c.oid = a.relation AND c.relkind = 'p'
        CROSS JOIN LATERAL pg_partition_tree(a.relation) AS p
        JOIN pg_class AS f ON f.oid = p.relid AND f.relkind IN ('r', 'p')
    ), expected AS (
        -- The bits of pg_trigger.tgtype: 1 row, 2 before, 4 insert, 8 delete, 16 update, 32 truncate.
        SELECT a.*, p.part, kind.name, kind.of_rows,
               CASE WHEN kind.of_rows THEN 1
                    + CASE WHEN coalesce(a.policy -> 'operations' ? 'insert', true) THEN 4 ELSE 0 END
                    + CASE WHEN coalesce(a.policy -> 'operations' ? 'delete', true) THEN 8 ELSE 0 END
                    + CASE WHEN coalesce(a.policy -> 'operations' ? 'update', true) THEN 16 ELSE 0 END
                    ELSE 34 END AS type
        FROM part AS p
        JOIN audited AS a ON a.id = p.id
        CROSS JOIN LATERAL (
            VALUES (('!threadline_capture_' || a.id)::name, true), (('!threadline_truncate_' || a.id)::name, false)
        ) AS kind (name, of_rows)
        WHERE kind.of_rows OR coalesce(a.policy -> 'operations' ? 'truncate', true)
    ), compared AS (
        SELECT e.id, e.relation, e.part, e.name, e.of_rows, e.built_for, g.tgenabled,
               CASE WHEN g.oid IS NULL THEN 'missing'
                    WHEN g.tgenabled IN ('D', 'R') THEN 'disabled'
                    WHEN g.tgenabled <> 'A' OR g.tgfoid IS DISTINCT FROM e.function OR g.tgtype <> e.type OR g.tgattr::text <> ''
                         OR (g.tgqual IS NOT NULL) <> (e.of_rows AND e.policy ? 'condition') THEN 'altered' END AS drift,
               bool_or(g.tgfoid = e.function) OVER (PARTITION BY e.id) IS TRUE OR e.built_for = e.relation AS known
        FROM expected AS e
        LEFT JOIN pg_trigger AS g ON g.tgrelid = e.part AND g.tgname = e.name
    ), known AS (
        SELECT a.id, k.name, k.type
        FROM audited AS a
        CROSS JOIN LATERAL jsonb_to_recordset(a.columns) AS k (number smallint, name text, type text)
        -- The others belong to no column: see threadline.note_absent().
        WHERE a.relation IS NOT NULL AND k.number < 20000
    ), live AS (
        SELECT a.id, f.attname::text AS name, f.atttypid::regtype::text AS type
        FROM audited AS a
        JOIN pg_attribute AS f ON f.attrelid = a.relation AND f.attnum > 0 AND NOT f.attisdropped AND f.attgenerated <> 'v'
    ), columns AS (
        SELECT d.id, bool_or(d.changed) AS changed, string_agg(DISTINCT quote_ident(d.name), ', ') AS names
        FROM (
            SELECT coalesce(k.id, l.id) AS id, coalesce(l.name, k.name) AS name, k.id IS NOT NULL AS changed
            FROM known AS k
            FULL JOIN live AS l ON l.id = k.id AND l.name = k.name AND l.type = k.type
            WHERE k.id IS NULL OR l.id IS NULL
        ) AS d
        GROUP BY d.id
    ), found AS (
        SELECT 'table-dropped' AS code, a.id, a.relation, format('%I.%I', a.schema_name, a.table_name) AS name, 'the table does not exist; its recorded changes remain readable' AS message
        FROM audited AS a
        WHERE a.relation IS NULL
        UNION ALL
        SELECT 'table-recreated', c.id, c.relation, c.relation::regclass::text, 'the table was recreated, or restored without triggers; its changes are not recorded'
        FROM compared AS c
        WHERE NOT c.known
        GROUP BY c.id, c.relation
        UNION ALL
        SELECT CASE WHEN c.part <> c.relation AND c.drift <> 'altered'
                    THEN CASE WHEN c.of_rows THEN 'partition-unseen' ELSE 'partition-truncate-unseen' END
                    ELSE 'trigger-' || c.drift END,
               c.id, c.relation, c.part::regclass::text,
               format(CASE c.drift WHEN 'missing' THEN 'trigger %I is missing' WHEN 'disabled' THEN 'trigger %I does not fire'
                                   ELSE 'trigger %I was altered' END, c.name)
        FROM compared AS c
        WHERE c.known AND c.drift IS NOT NULL
        UNION ALL
        SELECT CASE WHEN threadline.redacts(a.policy) OR jsonb_path_exists(a.columns, '$[*] ? (@.column_policy <> "plain")') THEN 'columns-changed'
                    WHEN c.changed THEN 'columns-outdated' ELSE 'columns-added' END,
               a.id, a.relation, a.relation::regclass::text, 'since its capture was built, columns changed or were added: ' || c.names
        FROM columns AS c
        JOIN audited AS a ON a.id = c.id
        WHERE NOT EXISTS (SELECT FROM compared AS x WHERE x.id = a.id AND NOT x.known)
        UNION ALL
        SELECT 'capture-outdated', a.id, a.relation, a.relation::regclass::text,
               format('its capture is of version %s, and this is version %s', a.capture_version, threadline.capture_version())
        FROM audited AS a
        WHERE a.relation IS NOT NULL AND a.capture_version <> threadline.capture_version()
    )
    SELECT f.code, f.name,
           f.message || CASE WHEN secret.names = '{}' THEN ''
                             ELSE format('; %s needs an explicit policy first, because its name suggests a secret', array_to_string(secret.names, ', ')) END,
           CASE WHEN f.relation IS NOT NULL AND secret.names = '{}' THEN threadline.fix_for(f.id, f.relation) END
    FROM found AS f
    CROSS JOIN LATERAL (
        SELECT CASE WHEN f.code = 'columns-changed'
                    THEN (SELECT threadline.undecided_columns(f.id, f.relation, a.policy) FROM audited AS a WHERE a.id = f.id)
                    ELSE '{}' END AS names
        OFFSET 0
    ) AS secret
    ORDER BY 2, 1, 3;
END
$$;
COMMENT ON FUNCTION threadline.structure_drift() IS
    'Faults of the audited tables that one query of the catalogs shows';
