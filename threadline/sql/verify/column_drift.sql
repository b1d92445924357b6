-- Returns differences between a table's columns and key and those that its capture was built for.
CREATE OR REPLACE FUNCTION threadline.column_drift(audited_table integer, target regclass) RETURNS SETOF threadline.finding
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off AS $$
DECLARE
    tl_table threadline.audited_tables;
    tl_fix text := threadline.fix_for(audited_table, target);
    tl_keys text[];
    tl_differences text;
    tl_added smallint[];
    tl_undecided text[];
    tl_redacts boolean;
BEGIN
    SELECT * INTO STRICT tl_table FROM threadline.audited_tables WHERE id = audited_table;
    tl_undecided := threadline.undecided_columns(audited_table, target, tl_table.policy);
    -- Also by columns that are gone: see threadline.note_absent().
    tl_redacts := threadline.redacts(tl_table.policy) OR jsonb_path_exists(tl_table.columns, '$[*] ? (@.column_policy <> "plain")');
    IF tl_undecided <> '{}' THEN
        -- threadline.refresh() refuses to record them.
        tl_fix := NULL;
    END IF;
    IF tl_table.relation <> target THEN
        RETURN NEXT ROW('table-restored', target::text,
            'the table was restored or recreated after its capture was built; until you refresh it, renamed columns cannot be followed', tl_fix)::threadline.finding;
    END IF;

    IF tl_table.fingerprint <> threadline.fingerprint(target) THEN
        SELECT coalesce(array_agg(live.number) FILTER (WHERE k.name IS NULL), '{}'), string_agg(
            CASE WHEN k.name IS NULL THEN format('%I was added', live.name)
                 WHEN live.name IS NULL THEN format('%I was dropped', k.name)
                 ELSE concat_ws(', ',
                     CASE WHEN live.name <> k.name THEN format('%I was renamed to %I', k.name, live.name) END,
                     CASE WHEN live.type::text <> k.type THEN format('%I was %s and is %s', live.name, k.type, live.type) END)
            END, ', ' ORDER BY coalesce(k.number, live.number))
        INTO tl_added, tl_differences
        FROM (
            SELECT k.*, CASE WHEN tl_table.relation = target THEN k.number::text ELSE k.name END AS identity
            FROM jsonb_to_recordset(tl_table.columns) AS k (number smallint, name text, type text)
            WHERE k.number < 20000
        ) AS k
        FULL JOIN (
            SELECT c.*, CASE WHEN tl_table.relation = target THEN c.number::text ELSE c.name END AS identity
            FROM threadline.columns_of(target) AS c
        ) AS live USING (identity)
        WHERE k.name IS DISTINCT FROM live.name OR k.type IS DISTINCT FROM live.type::text;
        IF tl_redacts THEN
            RETURN NEXT ROW('columns-changed', target::text,
                'its columns are not those that its capture was built for'
                || coalesce(': ' || tl_differences, '')
                || CASE WHEN tl_undecided = '{}' THEN ''
                        ELSE format('; %s needs an explicit policy first, because its name suggests a secret', array_to_string(tl_undecided, ', ')) END, tl_fix)::threadline.finding;
        ELSIF threadline.fingerprint_but(target, tl_added) = tl_table.fingerprint THEN
            RETURN NEXT ROW('columns-added', target::text,
                format('it has columns that came since its capture was built, and they are recorded: %s', tl_differences), tl_fix)::threadline.finding;
        ELSE
            RETURN NEXT ROW('columns-outdated', target::text,
                'its columns are not those that its capture was built for, and they are recorded'
                || coalesce(': ' || tl_differences, ''), tl_fix)::threadline.finding;
        END IF;
    END IF;

    SELECT coalesce(array_agg(k.name), '{}') INTO tl_keys FROM threadline.key_columns_of(target) AS k;
    IF tl_keys <> ARRAY(SELECT k.name FROM threadline.live_key(audited_table) AS k ORDER BY k.ordinal) THEN
        RETURN NEXT ROW('key-changed', target::text,
            CASE WHEN tl_keys = '{}' THEN 'its primary key was dropped, so its records cannot be identified'
                 ELSE format('its primary key is %s, and records are kept by %s',
                     array_to_string(tl_keys, ', '),
                     coalesce((SELECT string_agg(k.name, ', ' ORDER BY k.ordinal) FROM threadline.live_key(audited_table) AS k), 'none')) END,
            CASE WHEN tl_keys = '{}' THEN format('ALTER TABLE %s ADD PRIMARY KEY (%s); ', target,
                     (SELECT string_agg(quote_ident(k.name), ', ' ORDER BY k.ordinal) FROM threadline.live_key(audited_table) AS k))
                 ELSE '' END || tl_fix)::threadline.finding;
    END IF;

    IF tl_table.capture_version <> threadline.capture_version() THEN
        RETURN NEXT ROW('capture-outdated', target::text,
            format('its capture is of version %s, and this is version %s', tl_table.capture_version, threadline.capture_version()), tl_fix)::threadline.finding;
    END IF;
END
$$;
