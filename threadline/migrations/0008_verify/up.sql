-- Something about a table's audit that is not as it should be, and the command
-- that mends it.
CREATE TYPE threadline.finding AS (
    code     text,
    relation text,
    message  text,
    mend     text
);

-- The table that is audited under an id, or should be: also where somebody took
-- its triggers away. By its row trigger; else under its recorded name; else by its
-- OID, if the columns agree: after a restore the OID may be that of any table.
CREATE FUNCTION threadline.whereabouts(audited_table integer) RETURNS regclass
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT coalesce(
        (SELECT g.tgrelid
         FROM pg_trigger AS g
         WHERE g.tgfoid = to_regproc('threadline.capture_' || t.id) AND g.tgparentid = 0 AND g.tgname = '!threadline_capture_' || t.id
         ORDER BY g.tgrelid = t.relation DESC, g.tgrelid
         LIMIT 1),
        (SELECT c.oid
         FROM pg_class AS c
         JOIN pg_namespace AS n ON n.oid = c.relnamespace
         WHERE n.nspname = t.schema_name AND c.relname = t.table_name AND c.relkind IN ('r', 'p')
           AND threadline.audited_table_of(c.oid) IS NULL),
        (SELECT c.oid
         FROM pg_class AS c
         WHERE c.oid = t.relation AND c.relkind IN ('r', 'p')
           AND threadline.audited_table_of(c.oid) IS NULL AND threadline.fingerprint(c.oid) = t.fingerprint)
    )::regclass
    FROM threadline.audited_tables AS t
    WHERE t.id = audited_table;
END;

-- The call that audits a table again as was decided for it, without what else is to
-- be excluded.
CREATE FUNCTION threadline.audit_call(audited_table integer, target regclass, excluding text[] DEFAULT '{}') RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT format('SELECT threadline.audit(%L', target)
        || coalesce(', mask => ARRAY[' || string_agg(quote_literal(coalesce(live.name, decided.name)), ', ' ORDER BY decided.name)
               FILTER (WHERE decided.treatment = 'mask') || ']', '')
        || coalesce(', exclude => ARRAY[' || string_agg(quote_literal(coalesce(live.name, decided.name)), ', ' ORDER BY decided.name)
               FILTER (WHERE decided.treatment = 'exclude') || ']', '')
        || CASE WHEN (t.policy -> 'require_actor')::boolean THEN ', require_actor => true' ELSE '' END
        || CASE WHEN t.key_columns = '{}' THEN ', keyless => true' ELSE '' END
        || coalesce(', columns => ARRAY[' || string_agg(quote_literal(coalesce(live.name, decided.name)), ', ' ORDER BY decided.name)
               FILTER (WHERE decided.treatment = 'record') || ']', '')
        || coalesce(', operations => ARRAY[' || (
               SELECT string_agg(quote_literal(o), ', ') FROM jsonb_array_elements_text(t.policy -> 'operations') AS o) || ']', '')
        || coalesce(', condition => ' || quote_literal(t.policy ->> 'condition'), '')
        || coalesce(', clear => ARRAY[' || string_agg(quote_literal(coalesce(live.name, decided.name)), ', ' ORDER BY decided.name)
               FILTER (WHERE decided.treatment = 'clear') || ']', '')
        || coalesce(', token => ARRAY[' || string_agg(quote_literal(coalesce(live.name, decided.name)), ', ' ORDER BY decided.name)
               FILTER (WHERE decided.treatment = 'token') || ']', '')
        || ');'
    FROM threadline.audited_tables AS t
    LEFT JOIN LATERAL (
        SELECT name, 'mask' AS treatment FROM jsonb_array_elements_text(t.policy -> 'mask') AS name
        UNION ALL
        SELECT name, 'exclude' FROM jsonb_array_elements_text(t.policy -> 'exclude') AS name
        UNION ALL
        SELECT name, 'record' FROM jsonb_array_elements_text(t.policy -> 'columns') AS name
        UNION ALL
        SELECT name, 'clear' FROM jsonb_array_elements_text(t.policy -> 'clear') AS name
        UNION ALL
        SELECT name, 'token' FROM jsonb_array_elements_text(t.policy -> 'token') AS name
        UNION ALL
        SELECT name, 'exclude' FROM unnest(excluding) AS name
    ) AS decided ON true
    LEFT JOIN jsonb_to_recordset(t.columns) AS k (number smallint, name text) ON k.name = decided.name
    LEFT JOIN threadline.columns_of(target) AS live ON live.number = k.number AND t.relation = target
    WHERE t.id = audited_table
    GROUP BY t.id;
END;

-- The command that makes a table's capture what it should be. Where only its row
-- trigger is gone, the table is still known by the others, and keeps its history.
CREATE FUNCTION threadline.mending(audited_table integer, target regclass) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT CASE
        WHEN threadline.audited_table_of(target) = audited_table
            THEN format('SELECT threadline.refresh(%L);', target)
        WHEN t.relation = target
             AND (SELECT bool_and(to_regproc('threadline.' || f.name) IS NOT NULL) FROM threadline.capture_functions(t.id) AS f)
            THEN format('SELECT threadline.install_triggers(%s, %L); SELECT threadline.refresh(%L);', t.id, target, target)
        ELSE threadline.audit_call(t.id, target)
    END
    FROM threadline.audited_tables AS t
    WHERE t.id = audited_table;
END;

-- Where the triggers of an audited table, and of its partitions, are not those
-- that threadline.audit() installs.
CREATE FUNCTION threadline.trigger_drift(audited_table integer, target regclass) RETURNS SETOF threadline.finding
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off
SET standard_conforming_strings = on
AS $$
DECLARE
    tl_class pg_class;
    tl_mend text := threadline.mending(audited_table, target);
    -- How it should be captured, and how it is.
    tl_suits boolean := threadline.captures_by_statement(audited_table, target);
    tl_by_statement boolean;
    tl_finding threadline.finding;
BEGIN
    SELECT * INTO STRICT tl_class FROM pg_class WHERE oid = target;
    SELECT count(*) FILTER (WHERE g.tgname ~ '^!threadline_(insert|update|delete|attached)$') > 0
        OR (tl_suits AND coalesce(bool_and(g.tgenabled = 'R') FILTER (WHERE g.tgname = '!threadline_capture_' || audited_table), true))
    INTO tl_by_statement
    FROM pg_trigger AS g
    WHERE g.tgrelid = target;

    IF tl_class.relispartition THEN
        IF EXISTS (
            SELECT FROM pg_partition_ancestors(target) AS a
            WHERE a.relid <> target AND threadline.audited_table_of(a.relid) IS NOT NULL
        ) THEN
            tl_finding := ROW('table-attached', target::text,
                format('it became a partition of %s, which is audited, too; its changes are recorded twice', pg_partition_root(target)),
                format('SELECT threadline.unaudit(%L);', target));
        ELSE
            tl_finding := ROW('table-attached', target::text,
                format('it became a partition of %s; its changes are recorded, but asked for by its own name they are not found', pg_partition_root(target)),
                format('ALTER TABLE %s DETACH PARTITION %s;', (SELECT inhparent::regclass FROM pg_inherits WHERE inhrelid = target), target));
        END IF;
        RETURN NEXT tl_finding;
    ELSIF tl_by_statement AND NOT tl_suits THEN
        RETURN NEXT ROW('inherited-since', target::text,
            'it has got ancestors or heirs: what is written through one of them is recorded of the wrong table, or not at all', tl_mend)::threadline.finding;
    ELSIF tl_suits AND NOT tl_by_statement THEN
        RETURN NEXT ROW('captured-by-row', target::text,
            'it has no ancestors or heirs any more, and could be recorded by statement, which is quicker', tl_mend)::threadline.finding;
    END IF;

    RETURN QUERY
    WITH expected AS (
        SELECT * FROM threadline.expected_triggers(audited_table, target, tl_by_statement)
    ), present AS (
        SELECT g.tgrelid::regclass AS relation, g.tgname::text AS name, g.tgenabled AS fires,
               pg_get_triggerdef(g.oid) AS definition, g.tgparentid <> 0 AS inherited,
               p.pronamespace = 'threadline'::regnamespace AND p.proname ~ '^capture_[0-9]+(_insert|_update|_delete)?$'
                   AND g.tgparentid = 0
                   -- That parent and partition are both audited is said by table-attached.
                   AND NOT EXISTS (
                       SELECT FROM pg_partition_ancestors(g.tgrelid) AS a
                       WHERE a.relid <> target
                         AND threadline.audited_table_of(a.relid) = substring(p.proname FROM '^capture_([0-9]{1,9})')::integer
                   ) AS captures
        FROM pg_trigger AS g
        JOIN pg_proc AS p ON p.oid = g.tgfoid
        WHERE g.tgrelid IN (SELECT e.relation FROM expected AS e)
    ), compared AS (
        SELECT coalesce(e.relation, p.relation) AS relation, coalesce(e.name, p.name) AS name,
               CASE
                   WHEN p.name IS NULL THEN 'missing'
                   WHEN e.name IS NULL THEN 'duplicated'
                   WHEN p.fires = 'D' OR (p.fires = 'R' AND e.fires <> 'R' AND e.definition = p.definition) THEN 'disabled'
                   WHEN e.definition <> p.definition OR p.fires <> e.fires THEN 'altered'
               END AS drift,
               p.fires, e.fires AS to_fire, p.definition = e.definition AS only_fires
        FROM expected AS e
        FULL JOIN present AS p ON p.relation = e.relation AND p.name = e.name
        WHERE e.name IS NOT NULL OR p.captures
    )
    SELECT CASE WHEN c.relation <> target AND c.drift IN ('missing', 'disabled')
                THEN CASE WHEN c.name ~ '^!threadline_truncate_' THEN 'partition-truncate-unseen' ELSE 'partition-unseen' END
                ELSE 'trigger-' || c.drift END,
           c.relation::text,
           CASE c.drift
               WHEN 'missing' THEN format('trigger %I is missing', c.name)
               WHEN 'duplicated' THEN format('trigger %I records what others record already', c.name)
               WHEN 'disabled' THEN format(
                   CASE c.fires WHEN 'R' THEN 'trigger %I fires for replicated changes only' ELSE 'trigger %I is disabled' END, c.name)
               ELSE format(
                   CASE WHEN NOT c.only_fires THEN 'trigger %I is not as it was made'
                        WHEN c.fires = 'A' AND c.to_fire = 'R' THEN 'trigger %I is called at every write, though it records replicated ones only'
                        WHEN c.fires = 'A' THEN 'trigger %I fires for replicated changes, too, which another records'
                        ELSE 'trigger %I does not fire for replicated changes' END, c.name)
           END,
           CASE WHEN c.drift = 'duplicated' THEN format('DROP TRIGGER %I ON %s;', c.name, c.relation) ELSE tl_mend END
    FROM compared AS c
    WHERE c.drift IS NOT NULL
    ORDER BY c.relation::text COLLATE "C", c.name COLLATE "C";
END
$$;

-- What of a table's columns and key is not what its capture was built for.
CREATE FUNCTION threadline.column_drift(audited_table integer, target regclass) RETURNS SETOF threadline.finding
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off
AS $$
DECLARE
    tl_table threadline.audited_tables;
    tl_mend text := threadline.mending(audited_table, target);
    tl_keys text[];
    tl_differences text;
BEGIN
    SELECT * INTO STRICT tl_table FROM threadline.audited_tables WHERE id = audited_table;
    IF tl_table.relation <> target THEN
        RETURN NEXT ROW('table-restored', target::text,
            'it was restored or created anew since its capture was built; until it is built anew, renamed columns cannot be followed', tl_mend)::threadline.finding;
    END IF;

    IF tl_table.fingerprint <> threadline.fingerprint(target) THEN
        SELECT string_agg(
            CASE WHEN k.name IS NULL THEN format('%I was added', live.name)
                 WHEN live.name IS NULL THEN format('%I was dropped', k.name)
                 ELSE concat_ws(', ',
                     CASE WHEN live.name <> k.name THEN format('%I was renamed to %I', k.name, live.name) END,
                     CASE WHEN live.type::text <> k.type THEN format('%I was %s and is %s', live.name, k.type, live.type) END)
            END, ', ' ORDER BY coalesce(k.number, live.number))
        INTO tl_differences
        FROM (
            SELECT k.*, CASE WHEN tl_table.relation = target THEN k.number::text ELSE k.name END AS identity
            FROM jsonb_to_recordset(tl_table.columns) AS k (number smallint, name text, type text)
        ) AS k
        FULL JOIN (
            SELECT c.*, CASE WHEN tl_table.relation = target THEN c.number::text ELSE c.name END AS identity
            FROM threadline.columns_of(target) AS c
        ) AS live USING (identity)
        WHERE k.name IS DISTINCT FROM live.name OR k.type IS DISTINCT FROM live.type::text;
        RETURN NEXT ROW('columns-changed', target::text,
            'its columns are not those that its capture was built for'
            || coalesce(': ' || tl_differences, ''), tl_mend)::threadline.finding;
    END IF;

    SELECT coalesce(array_agg(k.name), '{}') INTO tl_keys FROM threadline.key_columns_of(target) AS k;
    IF tl_keys <> ARRAY(SELECT k.name FROM threadline.live_key(audited_table) AS k ORDER BY k.ordinal) THEN
        RETURN NEXT ROW('key-changed', target::text,
            CASE WHEN tl_keys = '{}' THEN 'it has no primary key any more, so that no record of it can be found again'
                 ELSE format('its primary key is %s, and records are kept by %s',
                     array_to_string(tl_keys, ', '),
                     coalesce((SELECT string_agg(k.name, ', ' ORDER BY k.ordinal) FROM threadline.live_key(audited_table) AS k), 'none')) END,
            CASE WHEN tl_keys = '{}' THEN format('ALTER TABLE %s ADD PRIMARY KEY (%s); ', target,
                     (SELECT string_agg(quote_ident(k.name), ', ' ORDER BY k.ordinal) FROM threadline.live_key(audited_table) AS k))
                 ELSE '' END || tl_mend)::threadline.finding;
    END IF;

    IF tl_table.capture_version <> threadline.capture_version() THEN
        RETURN NEXT ROW('capture-outdated', target::text,
            format('its capture is of version %s, and this is version %s', tl_table.capture_version, threadline.capture_version()), tl_mend)::threadline.finding;
    END IF;
END
$$;

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

-- Triggers that record the changes of one table as if they were another's, or of
-- a table of which nobody knows what was decided for it.
CREATE FUNCTION threadline.stray_triggers(target regclass DEFAULT NULL) RETURNS SETOF threadline.finding
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
BEGIN
    RETURN QUERY
    WITH capturing AS (
        SELECT g.tgrelid::regclass AS relation, g.tgname::text AS name,
               substring(p.proname FROM '^capture_([0-9]{1,9})')::integer AS table_id
        FROM pg_trigger AS g
        JOIN pg_proc AS p ON p.oid = g.tgfoid AND p.pronamespace = 'threadline'::regnamespace
        WHERE g.tgparentid = 0 AND p.proname ~ '^capture_[0-9]{1,9}(_insert|_update|_delete)?$'
    )
    SELECT 'policy-missing', c.relation::text,
           'what was decided for it is not on record; its capture goes on as it was built',
           format('SELECT threadline.audit(%L, mask => ..., exclude => ...);', c.relation)
    FROM capturing AS c
    WHERE NOT EXISTS (SELECT FROM threadline.audited_tables AS t WHERE t.id = c.table_id)
      AND c.name = '!threadline_capture_' || c.table_id AND (target IS NULL OR c.relation = target)
    UNION ALL
    SELECT 'trigger-stray', c.relation::text,
           format('trigger %I records its changes as those of %s', c.name, coalesce(at.relation::text, 'a table that is gone')),
           format('DROP TRIGGER %I ON %s;', c.name, c.relation)
    FROM capturing AS c
    JOIN threadline.audited_tables AS t ON t.id = c.table_id
    CROSS JOIN LATERAL (SELECT threadline.whereabouts(t.id) AS relation) AS at
    WHERE (target IS NULL OR c.relation = target)
      AND c.relation <> at.relation
      AND c.relation NOT IN (SELECT p.relid FROM pg_partition_tree(at.relation) AS p)
      -- Else it is reported as altered or duplicated there.
      AND c.relation NOT IN (
          SELECT threadline.whereabouts(other.id) FROM threadline.audited_tables AS other
          WHERE other.unaudited_at IS NULL AND other.id <> t.id AND threadline.whereabouts(other.id) IS NOT NULL)
    ORDER BY 2, 3;
END
$$;

-- What is not as it should be with the capture of the audited tables, or of one
-- of them.
CREATE FUNCTION threadline.table_drift(target regclass DEFAULT NULL) RETURNS SETOF threadline.finding
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_audited record;
    tl_columns threadline.finding[];
BEGIN
    FOR tl_audited IN
        SELECT t.id, t.schema_name, t.table_name, t.audited_since, at.relation,
               EXISTS (
                   SELECT FROM pg_trigger AS g
                   WHERE g.tgrelid = at.relation
                     AND g.tgfoid IN (SELECT to_regproc('threadline.' || f.name) FROM threadline.capture_functions(t.id) AS f)
               ) OR t.relation = at.relation AS known
        FROM threadline.audited_tables AS t
        CROSS JOIN LATERAL (SELECT threadline.whereabouts(t.id) AS relation) AS at
        WHERE t.unaudited_at IS NULL AND (target IS NULL OR at.relation = target)
        ORDER BY t.schema_name COLLATE "C", t.table_name COLLATE "C", t.id
    LOOP
        IF tl_audited.relation IS NULL THEN
            RETURN NEXT ROW('table-dropped', format('%I.%I', tl_audited.schema_name, tl_audited.table_name),
                'it is gone; what was recorded of it can still be read',
                format('UPDATE threadline.audited_tables SET unaudited_at = now() WHERE id = %s;', tl_audited.id))::threadline.finding;
        ELSIF NOT tl_audited.known THEN
            RETURN NEXT ROW('table-recreated', tl_audited.relation::text,
                'it was created anew, or restored without triggers, and nothing of it is recorded',
                threadline.audit_call(tl_audited.id, tl_audited.relation))::threadline.finding;
        ELSE
            RETURN QUERY SELECT * FROM threadline.trigger_drift(tl_audited.id, tl_audited.relation);
            tl_columns := ARRAY(SELECT d FROM threadline.column_drift(tl_audited.id, tl_audited.relation) AS d);
            RETURN QUERY SELECT * FROM unnest(tl_columns);
            IF NOT EXISTS (SELECT FROM unnest(tl_columns) AS c WHERE c.code <> 'table-restored') THEN
                RETURN QUERY SELECT * FROM threadline.function_drift(tl_audited.id, tl_audited.relation);
            END IF;
        END IF;
    END LOOP;
    RETURN QUERY SELECT * FROM threadline.stray_triggers(target);
END
$$;
COMMENT ON FUNCTION threadline.table_drift(regclass) IS
    'What is not as it should be with the capture of audited tables, and the commands that mend it';

-- The application's tables that nobody audits, but those that need not be.
CREATE FUNCTION threadline.unaudited_tables_but(allowed oid[]) RETURNS SETOF threadline.finding
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
BEGIN
    RETURN QUERY
    SELECT 'table-unaudited', c.oid::regclass::text,
           'nothing of it is recorded',
           format(CASE WHEN EXISTS (SELECT FROM threadline.key_columns_of(c.oid))
                       THEN 'SELECT threadline.audit(%L);'
                       ELSE 'SELECT threadline.audit(%L, keyless => true);' END, c.oid::regclass)
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
      AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'threadline', 'pg_toast')
      AND c.relname <> '__diesel_schema_migrations'
      AND c.oid <> ALL (array_remove(allowed, NULL))
      AND threadline.audited_table_of(c.oid) IS NULL
      -- One whose triggers are gone is reported as such.
      AND c.oid NOT IN (
          SELECT threadline.whereabouts(t.id)
          FROM threadline.audited_tables AS t
          WHERE t.unaudited_at IS NULL AND threadline.whereabouts(t.id) IS NOT NULL)
      AND NOT EXISTS (
          SELECT FROM pg_depend AS d
          WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
    ORDER BY 2;
END
$$;

-- The application's tables that nobody audits. Those of extensions and Diesel's own
-- are not the application's. A name in `allowed` is one as in SQL.
CREATE FUNCTION threadline.unaudited_tables(allowed text[] DEFAULT '{}') RETURNS SETOF threadline.finding
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    -- Looked up under the caller's search_path, as the caller's own queries are.
    tl_allowed pg_catalog.oid[] := ARRAY(
        SELECT pg_catalog.to_regclass(name)::pg_catalog.oid FROM pg_catalog.unnest(allowed) AS name);
BEGIN
    RETURN QUERY SELECT * FROM threadline.unaudited_tables_but(tl_allowed);
END
$$;

-- Whether two recorded values of a column cannot be one value. Numbers are, at any
-- scale: a column's scale changes without a write. A value that capture could not
-- turn to JSON was kept as text, and a text says nothing about a number.
CREATE FUNCTION threadline.values_differ(one jsonb, other jsonb, any_json boolean) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN one <> other AND (
    any_json
    OR pg_catalog.jsonb_typeof(one) = pg_catalog.jsonb_typeof(other)
    OR 'null' IN (pg_catalog.jsonb_typeof(one), pg_catalog.jsonb_typeof(other))
    OR one IN ('"NaN"', '"Infinity"', '"-Infinity"')
    OR other IN ('"NaN"', '"Infinity"', '"-Infinity"')
);

-- The columns whose recorded values can be compared with each other and with the
-- live ones, and since when: of what was masked or excluded until then, of another
-- type, or of another column of that name, earlier ones say nothing. What is recorded
-- as a token can be compared by who may make one, with by_token, if its type has one
-- text for each value; that of numeric is another after a change of its scale.
CREATE FUNCTION threadline.comparable_columns(
    audited_table integer, target regclass, by_token boolean,
    OUT name text, OUT since timestamptz, OUT mask jsonb, OUT any_json boolean
) RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT live.name, greatest(k.clear_since, k.retyped_at),
           CASE WHEN policy.treatment = 'mask' AND NOT (by_token AND k.treatment = 'token' AND live.bitwise AND live.type <> 'numeric'::regtype)
                THEN threadline.placeholder(live.type) END,
           live.type IN ('json'::regtype, 'jsonb'::regtype)
    FROM threadline.audited_tables AS t
    CROSS JOIN jsonb_to_recordset(t.columns) AS k (
        number smallint, name text, type text, treatment text, clear_since timestamptz, retyped_at timestamptz)
    JOIN threadline.columns_of(target) AS live
      ON CASE WHEN t.relation = target THEN live.number = k.number ELSE live.name = k.name END
    JOIN threadline.column_policy(audited_table, target) AS policy ON policy.name = live.name
    WHERE t.id = audited_table AND live.type::text = k.type AND policy.treatment <> 'exclude';
END
$$;

-- Why the history of a table cannot be compared with its rows; NULL if it can.
CREATE FUNCTION threadline.chain_obstacle(target regclass) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_id integer := threadline.audited_table_of(target);
BEGIN
    RETURN CASE
        WHEN NOT EXISTS (SELECT FROM threadline.audited_tables AS t WHERE t.id = tl_id)
            THEN 'it is not audited'
        WHEN EXISTS (SELECT FROM threadline.audited_tables AS t WHERE t.id = tl_id AND t.policy ?| '{operations,condition}')
            THEN 'by its policy, not every change is recorded'
        WHEN EXISTS (SELECT FROM threadline.audited_tables AS t WHERE t.id = tl_id AND t.key_columns = '{}')
            THEN 'it has no primary key'
        WHEN NOT has_table_privilege(target, 'SELECT')
            THEN format('%I has no right to read it', current_user)
        WHEN row_security_active(target)
            THEN format('row security hides rows from %I', current_user)
        WHEN EXISTS (SELECT FROM pg_constraint AS c WHERE c.conrelid = target AND c.contype = 'p' AND c.condeferred)
            THEN 'its key is deferred, and until a transaction ends two rows may have one'
        WHEN ARRAY(SELECT ROW(k.name, k.type::text)::text FROM threadline.key_columns_of(target) AS k)
             <> ARRAY(
                 SELECT ROW(k.name, recorded.type)::text
                 FROM threadline.live_key(tl_id) AS k
                 JOIN threadline.audited_tables AS t ON t.id = tl_id
                 CROSS JOIN LATERAL (SELECT t.key_types[k.ordinal] AS type) AS recorded
                 ORDER BY k.ordinal)
            THEN 'its key has changed'
    END;
END
$$;

-- Records whose changes do not agree with each other or with the live rows:
-- something wrote past the triggers. What one change left is what the next one
-- found, and at the end what is there.
--
--   SELECT * FROM threadline.chain_drift('members');
--
-- `expected` is what the changes before say, `found` what the change, or the live
-- row, shows; of the columns that differ, or NULL for no row. At most `examples` of
-- each code; `records` counts all.
--
-- What can be known is said and nothing else: not what happened before the audit
-- began, or the key and the policy became what they are, nor on from a TRUNCATE that could not see
-- all rows.
--
-- Everything is read in one snapshot, which is taken after the table is held: what
-- truncates or rewrites it would have it look empty to an older one. Joined by
-- hashing, however few rows are expected: one pass over the table, never more.
CREATE FUNCTION threadline.chain_drift(
    target regclass, since timestamptz DEFAULT NULL, examples integer DEFAULT 10,
    OUT code text, OUT records bigint, OUT record_key text, OUT key jsonb,
    OUT transaction_id bigint, OUT change_id bigint, OUT expected jsonb, OUT found jsonb
) RETURNS SETOF record
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
SET timezone = 'UTC'
SET datestyle = 'ISO, YMD'
SET intervalstyle = 'postgres'
SET bytea_output = 'hex'
SET extra_float_digits = 1
SET array_nulls = on
SET enable_nestloop = off
SET jit = off
AS $chain_drift$
DECLARE
    tl_table threadline.audited_tables;
    tl_obstacle text;
    tl_renames jsonb;
    tl_columns record;
    tl_since timestamptz;
    tl_image text;
    tl_live text;
    tl_fresh boolean;
    tl_by_token boolean;
BEGIN
    tl_obstacle := threadline.chain_obstacle(target);
    IF tl_obstacle IS NOT NULL THEN
        RAISE EXCEPTION 'threadline: the history of % cannot be compared with its rows: %', target, tl_obstacle;
    END IF;
    EXECUTE format('LOCK TABLE %s IN ACCESS SHARE MODE', target);
    SELECT * INTO STRICT tl_table FROM threadline.audited_tables AS t WHERE t.id = threadline.audited_table_of(target);
    tl_renames := threadline.renames_of(tl_table.id);
    tl_fresh := tl_table.relation = target AND tl_table.fingerprint = threadline.fingerprint(target);
    -- Tokens of what is there now are for who has the keys.
    tl_by_token := tl_fresh AND tl_table.policy ? 'token'
        AND has_table_privilege('threadline.token_keys', 'SELECT')
        AND has_function_privilege('threadline.token(integer, jsonb)', 'EXECUTE');
    IF tl_by_token THEN
        tl_by_token := NOT EXISTS (
            SELECT FROM jsonb_to_recordset(tl_table.columns) AS c (treatment text, token_key integer)
            WHERE c.treatment = 'token' AND c.token_key NOT IN (SELECT id FROM threadline.token_keys));
    END IF;
    SELECT array_agg(c.name) AS names,
           coalesce(array_agg(c.name) FILTER (WHERE c.any_json), '{}') AS documents,
           jsonb_object_agg(c.name, c.mask) FILTER (WHERE c.mask IS NOT NULL) AS masks,
           array_agg(c.name) FILTER (WHERE c.since IS NOT NULL) AS late_names,
           array_agg(c.since) FILTER (WHERE c.since IS NOT NULL) AS late_since
    INTO tl_columns
    FROM threadline.comparable_columns(tl_table.id, target, tl_by_token) AS c;
    SELECT greatest(chain_drift.since, tl_table.audited_since, tl_table.chained_since, max(k.retyped_at)) INTO tl_since
    FROM jsonb_to_recordset(tl_table.columns) AS k (name text, retyped_at timestamptz)
    WHERE k.name = ANY (tl_table.key_columns);

    tl_image := '%s';
    IF tl_renames IS NOT NULL THEN
        tl_image := format(tl_image, 'threadline.renamed_image($6, %s, c.captured_at)');
    END IF;
    IF tl_columns.masks IS NOT NULL THEN
        tl_image := format(tl_image, 'threadline.redacted(%s, ''{}'', $7)');
    END IF;
    IF tl_columns.late_names IS NOT NULL THEN
        tl_image := format('(%s) - ARRAY(SELECT late.name FROM unnest($8, $9) AS late (name, since) WHERE late.since > c.captured_at)', tl_image);
    END IF;

    tl_live := CASE WHEN tl_fresh AND (tl_by_token OR NOT tl_table.policy ? 'token')
        THEN threadline.image_expression(tl_table.id, target, 'tl_live')
        ELSE threadline.live_expression(tl_table.id, target, 'tl_live') END;
    IF tl_by_token AND tl_columns.masks IS NOT NULL THEN
        tl_live := format('threadline.redacted(%s, ''{}'', $7)', tl_live);
    END IF;

    RETURN QUERY EXECUTE format(
        $query$
        WITH grouped AS (
            -- Keys that one statement moved, it moved at once.
            SELECT c.transaction_id, c.statement, min(c.id) AS position, min(c.captured_at) AS began
            FROM threadline.audit_changes AS c
            WHERE c.table_id = $1 AND c.previous_key IS NOT NULL AND c.transaction_id >= $2
            GROUP BY c.transaction_id, c.statement
        ), recorded AS (
            SELECT c.id, c.transaction_id, c.op, c.record_key, c.previous_key, coalesce(g.position, c.id) AS position,
                   CASE WHEN jsonb_typeof(c.changed_from) = 'object' THEN %1$s END AS was,
                   CASE WHEN jsonb_typeof(c.changed_to) = 'object' THEN %2$s END AS became,
                   CASE WHEN jsonb_typeof(c.row_data) = 'object' THEN %3$s END AS whole
            FROM threadline.audit_changes AS c
            LEFT JOIN grouped AS g ON g.transaction_id = c.transaction_id AND g.statement = c.statement
            WHERE c.table_id = $1 AND c.transaction_id >= $2 AND coalesce(g.began, c.captured_at) >= $3
        ), blind AS (
            -- Changes of which nobody knows the record.
            SELECT coalesce(array_agg(r.id ORDER BY r.id), '{}') AS ids FROM recorded AS r WHERE r.record_key IS NULL
        ), event AS (
            SELECT r.record_key AS event_key, r.position, 1 AS turn, r.id, r.transaction_id,
                   CASE WHEN r.op IN ('D', 'T') THEN 'end' WHEN r.op = 'I' OR r.previous_key IS NOT NULL THEN 'birth' ELSE 'update' END AS kind,
                   CASE WHEN r.op IN ('D', 'T') THEN r.whole WHEN r.op = 'U' AND r.previous_key IS NULL THEN r.was END AS shows,
                   CASE WHEN r.op = 'I' THEN r.whole WHEN r.previous_key IS NOT NULL THEN r.whole || r.became WHEN r.op = 'U' THEN r.became END AS leaves
            FROM recorded AS r
            WHERE r.record_key IS NOT NULL
            UNION ALL
            -- In a statement that shifts keys, who leaves makes room for who comes.
            SELECT r.previous_key, r.position, 0, r.id, r.transaction_id, 'end', r.whole, NULL
            FROM recorded AS r
            WHERE r.previous_key IS NOT NULL
        ), numbered AS (
            SELECT e.*,
                   -- PostgreSQL has no array of nothing here.
                   CASE WHEN blind.ids = '{}' THEN 0 ELSE width_bucket(e.id, blind.ids) END AS era,
                   CASE WHEN blind.ids = '{}' THEN 0 ELSE cardinality(blind.ids) END AS last_era
            FROM event AS e
            CROSS JOIN blind
        ), sequenced AS (
            SELECT n.*,
                   lag(n.kind) OVER chain AS before,
                   lead(n.kind) OVER chain IS NULL AND n.era = n.last_era AS is_last,
                   count(*) FILTER (WHERE n.kind = 'end') OVER (chain ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS ends
            FROM numbered AS n
            WINDOW chain AS (PARTITION BY n.event_key, n.era ORDER BY n.position, n.turn, n.id)
        ), chained AS (
            SELECT s.*,
                   coalesce(
                       threadline.jsonb_merge(s.leaves) FILTER (WHERE s.leaves IS NOT NULL) OVER (
                           PARTITION BY s.event_key, s.era, s.ends ORDER BY s.position, s.turn, s.id
                           ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
                       '{}') AS known
            FROM sequenced AS s
        ), ended AS (
            SELECT c.*, c.known || coalesce(c.leaves, '{}') AS state, live.*
            FROM chained AS c
            LEFT JOIN (
                SELECT %4$s COLLATE "C" AS live_key, %5$s AS live_image FROM %6$s AS tl_live
            ) AS live ON live.live_key = c.event_key
            WHERE c.is_last
        ), claim AS (
            -- What was known against what is shown; NULL for no row.
            SELECT 'chain-broken' AS code, c.event_key, c.position, c.transaction_id, c.id,
                   CASE WHEN c.before = 'end' THEN NULL ELSE c.known END AS known,
                   CASE WHEN c.kind = 'birth' THEN NULL ELSE coalesce(c.shows, '{}') END AS shown
            FROM chained AS c
            WHERE c.before IS NOT NULL AND NOT (c.before = 'end' AND c.kind = 'birth')
            UNION ALL
            SELECT CASE WHEN e.kind = 'end' THEN 'row-unrecorded' WHEN e.live_key IS NULL THEN 'row-missing' ELSE 'row-altered' END,
                   e.event_key, e.position, e.transaction_id, e.id,
                   CASE WHEN e.kind <> 'end' THEN e.state END,
                   CASE WHEN e.live_key IS NOT NULL THEN e.live_image END
            FROM ended AS e
            WHERE e.kind <> 'end' OR e.live_key IS NOT NULL
        ), compared AS (
            SELECT DISTINCT ON (c.code, c.event_key)
                   c.code, c.event_key, c.transaction_id, c.id,
                   CASE WHEN c.known IS NOT NULL THEN coalesce(differing.known, '{}') END AS known,
                   CASE WHEN c.shown IS NOT NULL THEN coalesce(differing.shown, '{}') END AS shown
            FROM claim AS c
            CROSS JOIN LATERAL (
                SELECT jsonb_object_agg(field.name, c.known -> field.name) FILTER (WHERE c.known ? field.name) AS known,
                       jsonb_object_agg(field.name, c.shown -> field.name) FILTER (WHERE c.shown ? field.name) AS shown
                FROM unnest($4) AS field (name)
                WHERE c.known IS NULL OR c.shown IS NULL
                   OR threadline.values_differ(c.known -> field.name, c.shown -> field.name, field.name = ANY ($5))
            ) AS differing
            WHERE (c.known IS NULL OR c.shown IS NULL OR c.known || c.shown <> c.known)
              AND (c.known IS NULL OR c.shown IS NULL OR differing.known IS NOT NULL)
            ORDER BY c.code, c.event_key, c.position
        )
        SELECT counted.code, counted.records, counted.event_key, threadline.key_json($10, $11, counted.event_key),
               counted.transaction_id, counted.id, counted.known, counted.shown
        FROM (
            SELECT c.*, count(*) OVER (PARTITION BY c.code) AS records,
                   row_number() OVER (PARTITION BY c.code ORDER BY c.id, c.event_key) AS number
            FROM compared AS c
        ) AS counted
        WHERE counted.number <= $12
        ORDER BY counted.code, counted.number
        $query$,
        format(tl_image, 'c.changed_from'),
        format(tl_image, 'c.changed_to'),
        format(tl_image, 'c.row_data'),
        threadline.key_expression(tl_table.id, 'tl_live'),
        tl_live,
        threadline.own_rows(target))
    USING tl_table.id, threadline.first_transaction_since(tl_since), tl_since, tl_columns.names, tl_columns.documents,
          tl_renames, tl_columns.masks, tl_columns.late_names, tl_columns.late_since,
          tl_table.key_columns, tl_table.key_types, examples;
END
$chain_drift$;
COMMENT ON FUNCTION threadline.chain_drift(regclass, timestamptz, integer) IS
    'Records of an audited table whose changes do not agree with each other or with the live rows';

INSERT INTO threadline.schema_patches (version) VALUES (8);
