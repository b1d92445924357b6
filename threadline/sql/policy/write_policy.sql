-- Runs the part of threadline.audit() that needs the owner of the audit: notes the policy of a
-- table and builds its capture functions.
CREATE OR REPLACE FUNCTION threadline.write_policy(
    target regclass, policy jsonb, keyless boolean, continues regclass DEFAULT NULL
) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off AS $write_policy$
#variable_conflict use_column
DECLARE
    tl_class pg_class;
    tl_schema text;
    tl_columns text[];
    tl_keys text[];
    tl_key_types text[];
    tl_wrong text[];
    tl_id integer;
    tl_operations text[] := ARRAY(SELECT jsonb_array_elements_text(policy -> 'operations'));
    -- Also excludes the columns that were not chosen.
    tl_effective jsonb := policy;
    tl_resumed boolean;
    tl_restarted boolean;
    tl_rekeyed boolean;
    tl_had_key text[];
    tl_at timestamptz;
    tl_former threadline.audited_tables;
    tl_gone text[];
    tl_masked text[];
BEGIN
    PERFORM threadline.require_handed_over(target);
    PERFORM threadline.check_auditable(target);
    SELECT * INTO STRICT tl_class FROM pg_class WHERE oid = target;
    SELECT nspname INTO STRICT tl_schema FROM pg_namespace WHERE oid = tl_class.relnamespace;
    SELECT array_agg(name ORDER BY number) INTO tl_columns FROM threadline.columns_of(target);
    SELECT coalesce(array_agg(k.name ORDER BY k.place), '{}'),
           -- Only for recorded columns.
           coalesce(array_agg(CASE threadline.policy_of_column(target, c.number, tl_effective) WHEN 'hash' THEN 'text' ELSE k.type::text END ORDER BY k.place), '{}')
    INTO tl_keys, tl_key_types
    FROM threadline.key_columns_of(target) WITH ORDINALITY AS k (name, type, place)
    JOIN threadline.columns_of(target) AS c ON c.name = k.name;
    IF tl_keys = '{}' AND NOT keyless THEN
        RAISE EXCEPTION 'threadline: table % has no primary key, which identifies its records; add one with ALTER TABLE % ADD PRIMARY KEY (...), or audit it without one: SELECT threadline.audit(''%'', keyless => true)',
            target, target, target;
    END IF;

    SELECT array_agg(o) INTO tl_wrong
    FROM unnest(tl_operations) AS o WHERE o IS NULL OR o NOT IN ('insert', 'update', 'delete', 'truncate');
    IF tl_wrong IS NOT NULL OR policy ? 'operations' AND NOT tl_operations && '{insert,update,delete}' THEN
        RAISE EXCEPTION 'threadline: % for table % is not a valid list of operations; it needs one or more of insert, update and delete, and can add truncate',
            array_to_string(tl_operations, ', ', 'NULL'), target;
    END IF;
    SELECT array_agg(named.name ORDER BY named.name) INTO tl_wrong
    FROM (
        SELECT p.name FROM threadline.column_policies(policy) AS p
        UNION ALL
        SELECT jsonb_array_elements_text(policy -> list) FROM unnest('{columns,ignore}'::text[]) AS list
    ) AS named
    WHERE named.name <> ALL (tl_columns);
    IF tl_wrong IS NOT NULL THEN
        RAISE EXCEPTION 'threadline: table % has no column %; its columns are: %',
            target, array_to_string(tl_wrong, ', '), array_to_string(tl_columns, ', ');
    END IF;
    SELECT array_agg(format('%s (%s)', several.name, several.column_policies) ORDER BY several.name) INTO tl_wrong
    FROM (
        SELECT p.name, string_agg(p.column_policy, ' and ' ORDER BY p.rank)
        FROM threadline.column_policies(policy) AS p
        WHERE p.column_policy <> 'plain'
        GROUP BY p.name
        HAVING count(*) > 1
    ) AS several (name, column_policies);
    IF tl_wrong IS NOT NULL THEN
        RAISE EXCEPTION 'threadline: column % of table % has several policies; choose one',
            array_to_string(tl_wrong, ', '), target;
    END IF;
    SELECT array_agg(c.name) INTO tl_wrong
    FROM jsonb_array_elements_text(policy -> 'ignore') AS c (name)
    WHERE c.name = ANY (tl_keys) OR policy -> 'exclude' ? c.name;
    IF tl_wrong IS NOT NULL THEN
        RAISE EXCEPTION 'threadline: column % of table % cannot be ignored: it belongs to the primary key, or is excluded',
            array_to_string(tl_wrong, ', '), target;
    END IF;
    SELECT array_agg(c.name) INTO tl_wrong
    FROM threadline.columns_of(target) AS c
    WHERE policy -> 'plain' ? c.name AND threadline.policy_of_column(target, c.number, tl_effective) <> 'plain';
    IF tl_wrong IS NOT NULL THEN
        RAISE EXCEPTION 'threadline: column % of table % is declared plain, and it is redacted, or made from a column that is; choose one',
            array_to_string(tl_wrong, ', '), target;
    END IF;
    SELECT array_agg(c.name) INTO tl_wrong
    FROM threadline.columns_of(target) AS c
    WHERE c.name = ANY (tl_keys) AND threadline.policy_of_column(target, c.number, tl_effective) NOT IN ('plain', 'hash');
    IF tl_wrong IS NOT NULL THEN
        RAISE EXCEPTION 'threadline: column % belongs to the primary key of %; a key identifies the record and can be neither masked nor excluded',
            array_to_string(tl_wrong, ', '), target
            USING HINT = format('A key that is a secret can be recorded as a keyed hash: hash => ARRAY[%L].', tl_wrong[1]);
    END IF;
    -- Types of which two equal values have one text.
    SELECT array_agg(format('%s (%s)', c.name, c.type)) INTO tl_wrong
    FROM threadline.columns_of(target) AS c
    WHERE c.name = ANY (tl_keys) AND threadline.policy_of_column(target, c.number, tl_effective) = 'hash'
      AND threadline.base_type(c.type) <> ALL ('{text,varchar,uuid,smallint,integer,bigint}'::regtype[]);
    IF tl_wrong IS NOT NULL THEN
        RAISE EXCEPTION 'threadline: key column % of table % cannot be recorded as a keyed hash: of its type, equal values may have several texts; that can be keys of type text, character varying, uuid, smallint, integer and bigint',
            array_to_string(tl_wrong, ', '), target;
    END IF;

    PERFORM threadline.check_keep(target, policy ->> 'keep');
    PERFORM threadline.set_sequences();
    IF policy ? 'columns' THEN
        tl_effective := jsonb_set(policy, '{exclude}', coalesce(policy -> 'exclude', '[]') || coalesce((
            SELECT jsonb_agg(c)
            FROM unnest(tl_columns) AS c
            WHERE NOT policy -> 'columns' ? c AND c <> ALL (tl_keys)
              AND c NOT IN (SELECT p.name FROM threadline.column_policies(policy) AS p WHERE p.column_policy <> 'plain')), '[]'));
    END IF;
    PERFORM threadline.check_personal(target, policy, ARRAY(
        SELECT c.name FROM threadline.columns_of(target) AS c WHERE threadline.policy_of_column(target, c.number, tl_effective) <> 'plain'));

    tl_id := coalesce(threadline.known_table_of(target), (
        -- The trigger by which a table is identified was dropped, and the other was not.
        SELECT min(substring(p.proname FROM '^capture_([0-9]{1,9})$')::integer)
        FROM pg_trigger AS g
        JOIN pg_proc AS p ON p.oid = g.tgfoid AND p.pronamespace = 'threadline'::regnamespace
        WHERE g.tgrelid = target AND g.tgparentid = 0 AND g.tgname = '!threadline_truncate_' || substring(p.proname FROM '^capture_([0-9]{1,9})$')
          AND threadline.captured_relation(substring(p.proname FROM '^capture_([0-9]{1,9})$')::integer, 0) = 0));
    tl_resumed := tl_id IS NULL AND continues IS NULL OR EXISTS (SELECT FROM threadline.audited_tables AS t WHERE t.id = tl_id AND t.unaudited_at IS NOT NULL);
    IF tl_id IS NULL THEN
        -- A table that is created again under its old name continues its history.
        tl_id := threadline.former_table(tl_schema, tl_class.relname);
    END IF;
    -- After a restore without data, functions exist without their rows: an id counts as taken by
    -- either.
    WHILE tl_id IS NULL LOOP
        tl_id := nextval(pg_get_serial_sequence('threadline.audited_tables', 'id'));
        IF to_regproc('threadline.capture_' || tl_id) IS NOT NULL OR EXISTS (SELECT FROM threadline.audited_tables AS t WHERE t.id = tl_id) THEN
            tl_id := NULL;
        END IF;
    END LOOP;
    SELECT * INTO tl_former FROM threadline.audited_tables WHERE id = tl_id;
    INSERT INTO threadline.audited_tables (
        id, schema_name, table_name, key_columns, key_types, policy, columns, masked_columns, numeric_columns, relation, fingerprint, capture_version, began_as)
    OVERRIDING SYSTEM VALUE
    VALUES (tl_id, tl_schema, tl_class.relname, tl_keys, tl_key_types, '{}', '[]', '{}', '{}', target, '', 0, ARRAY[tl_schema, tl_class.relname])
    ON CONFLICT (id) DO NOTHING;

    tl_rekeyed := coalesce((
        SELECT bool_or((was.column_policy = 'hash') <> (threadline.policy_of_column(target, c.number, tl_effective) = 'hash')
                       OR was.column_policy = 'hash' AND was.hash_key NOT IN (SELECT k.id FROM threadline.hash_keys AS k))
        FROM ROWS FROM (unnest(tl_former.key_columns), unnest(tl_keys)) AS k (former_name, name)
        JOIN threadline.columns_of(target) AS c ON c.name = k.name
        JOIN jsonb_to_recordset(tl_former.columns) AS was (name text, column_policy text, hash_key integer) ON was.name = k.former_name), false);
    IF tl_former.key_columns <> tl_keys OR tl_rekeyed THEN
        -- Journal entries have the key that they were captured with.
        PERFORM threadline.post_all();
    END IF;
    -- Records without a key are not found under a key that comes later, nor those with keyed
    -- hashes by values.
    tl_resumed := tl_resumed OR tl_rekeyed OR coalesce(tl_former.key_columns = '{}' AND tl_keys <> '{}', false);

    -- Under its present names.
    tl_had_key := ARRAY(SELECT k.name FROM threadline.live_key(tl_id) AS k ORDER BY k.ordinal);

    -- Plain columns that were recorded as redacted, because they had the name of one that is.
    tl_masked := ARRAY(
        SELECT r.name
        FROM threadline.unnoted_renames(tl_id, target) AS r
        JOIN jsonb_to_recordset(tl_former.columns) AS namesake (name text, column_policy text)
            ON namesake.name = r.name AND namesake.column_policy <> 'plain'
        WHERE r.renamed_at IS NOT NULL);
    INSERT INTO threadline.renamed_columns (table_id, former_name, name, renamed_at)
    SELECT tl_id, r.former_name, r.name, coalesce(r.renamed_at, at.now)
    FROM (SELECT clock_timestamp() AS now OFFSET 0) AS at
    CROSS JOIN threadline.unnoted_renames(tl_id, target) AS r;
    IF NOT tl_resumed THEN
        INSERT INTO threadline.altered_columns (table_id, name, what, altered_at, noted_at, labels)
        SELECT tl_id, a.name, a.what, least(a.altered_at, at.now), at.now, a.labels
        FROM threadline.unnoted_alterations(tl_id, target) AS a
        CROSS JOIN (SELECT clock_timestamp() AS now OFFSET 0) AS at;
        -- On a table with redaction, a column that came after the policy was left out until now.
        INSERT INTO threadline.altered_columns (table_id, name, what, altered_at, noted_at)
        SELECT tl_id, c.name, 'recorded', at.now, at.now
        FROM threadline.columns_of(target) AS c
        CROSS JOIN (SELECT clock_timestamp() AS now OFFSET 0) AS at
        WHERE jsonb_path_exists(tl_former.columns, '$[*] ? (@.column_policy <> "plain")')
          AND NOT EXISTS (
              SELECT
              FROM jsonb_to_recordset(tl_former.columns) AS f (number smallint, name text)
              WHERE CASE WHEN tl_former.relation = target THEN f.number = c.number ELSE f.name = c.name END);
    END IF;

    tl_gone := ARRAY(
        SELECT was.name
        FROM (
            SELECT unnest(tl_former.masked_columns)
            UNION
            SELECT f.name FROM jsonb_to_recordset(tl_former.columns) AS f (name text, column_policy text) WHERE f.column_policy <> 'plain'
        ) AS was (name)
        WHERE (
            NOT EXISTS (
                -- It has a column policy of its own now, under any name.
                SELECT
                FROM jsonb_to_recordset(tl_former.columns) AS f (number smallint, name text, column_policy text)
                JOIN threadline.columns_of(target) AS c
                    ON CASE WHEN tl_former.relation = target THEN c.number = f.number ELSE c.name = f.name END
                WHERE f.name = was.name AND f.column_policy <> 'plain')
            OR EXISTS (
                -- Another column had the name before.
                SELECT FROM threadline.renamed_columns AS r
                WHERE r.table_id = tl_id AND r.former_name = was.name AND r.name IS NULL))
          AND NOT EXISTS (
            SELECT FROM threadline.columns_of(target) AS c
            WHERE c.name = was.name AND threadline.policy_of_column(target, c.number, tl_effective) <> 'plain')
        ORDER BY was.name);
    -- From now on, this name is that of another column.
    INSERT INTO threadline.renamed_columns (table_id, former_name, name, renamed_at)
    SELECT tl_id, c.name, NULL, clock_timestamp()
    FROM threadline.columns_of(target) AS c
    WHERE c.name = ANY (tl_gone) AND NOT EXISTS (
        SELECT FROM jsonb_to_recordset(tl_former.columns) AS f (number smallint, name text)
        WHERE f.name = c.name AND (f.number = c.number OR tl_former.relation <> target));

    tl_at := clock_timestamp();
    UPDATE threadline.audited_tables AS t
    SET schema_name = tl_schema,
        table_name = tl_class.relname,
        key_columns = tl_keys,
        key_types = tl_key_types,
        chained_since = CASE
            WHEN tl_had_key = tl_keys AND NOT tl_rekeyed AND NOT t.policy ?| '{operations,condition}' THEN t.chained_since
            ELSE tl_at END,
        former_keys = CASE
            WHEN tl_had_key = tl_keys AND NOT tl_rekeyed THEN t.former_keys
            ELSE coalesce(t.former_keys, '[]') || jsonb_build_object(
                'columns', tl_had_key, 'types', tl_former.key_types, 'until', tl_at,
                -- No change has this id.
                'last_id', nextval('threadline.entry_ids')) END,
        policy = write_policy.policy,
        personal_data = threadline.personal_data(tl_id, target, write_policy.policy),
        deparsed_condition = CASE WHEN t.policy ->> 'condition' = write_policy.policy ->> 'condition' THEN t.deparsed_condition END,
        columns = threadline.with_column_states(target, (
            SELECT coalesce(jsonb_agg(
                jsonb_strip_nulls(jsonb_build_object(
                    'number', c.number, 'name', c.name, 'type', c.type::text, 'column_policy', now.column_policy,
                    -- A column generated from others may be generated from a redacted one later.
                    'generation_expression', CASE
                        WHEN now.column_policy = 'plain' AND threadline.redacts(tl_effective - 'columns')
                        THEN threadline.generation_of(target, c.number) END,
                    -- Values of a redacted column up to now were not recorded.
                    'plain_since', CASE
                        WHEN now.column_policy <> 'plain' THEN NULL
                        WHEN former.column_policy <> 'plain' THEN clock_timestamp()
                        WHEN c.name = ANY (tl_masked) THEN clock_timestamp()
                        ELSE former.plain_since END,
                    -- Kept, so that the key stays while the column has another policy.
                    'hash_key', CASE
                        WHEN former.hash_key IN (SELECT id FROM threadline.hash_keys) THEN former.hash_key
                        WHEN now.column_policy = 'hash' THEN threadline.new_hash_key() END,
                    -- Values recorded under its name are of another column, or written another
                    -- way.
                    'retyped_at', CASE
                        WHEN tl_resumed THEN NULL
                        WHEN former.type = c.type::text
                             AND (former.column_policy = 'hash') = (now.column_policy = 'hash')
                             AND (now.column_policy <> 'hash' OR former.hash_key IN (SELECT id FROM threadline.hash_keys))
                        THEN former.retyped_at
                        ELSE clock_timestamp() END))
                ORDER BY c.number), '[]')
            FROM threadline.columns_of(target) AS c
            CROSS JOIN LATERAL threadline.policy_of_column(target, c.number, tl_effective) AS now (column_policy)
            LEFT JOIN jsonb_to_recordset(t.columns) AS former (
                number smallint, name text, type text, column_policy text, plain_since timestamptz, retyped_at timestamptz, hash_key integer)
                ON CASE WHEN t.relation = target THEN former.number = c.number ELSE former.name = c.name END)),
        -- Includes columns that were redacted when they were dropped: some of their earlier
        -- values may be on record.
        masked_columns = ARRAY(
            SELECT c.name
            FROM threadline.columns_of(target) AS c
            WHERE threadline.policy_of_column(target, c.number, tl_effective) <> 'plain'
            ORDER BY c.number) || tl_gone,
        numeric_columns = ARRAY(
            SELECT c.name
            FROM threadline.columns_of(target) AS c
            JOIN pg_type AS p ON p.oid = c.type
            WHERE 'numeric'::regtype IN (p.oid, p.typbasetype) OR 'money'::regtype IN (p.oid, p.typbasetype)
            ORDER BY c.number),
        relation = target,
        fingerprint = threadline.fingerprint(target),
        capture_version = threadline.capture_version(),
        built_at = clock_timestamp(),
        unaudited_at = NULL
    WHERE t.id = tl_id;

    PERFORM threadline.note_partitions(tl_id, target, coalesce(tl_former.relation = target, false) AND NOT tl_resumed);
    PERFORM threadline.build_function(tl_id, target);
    -- No writes happen before the triggers exist. Changes made while the table was not audited
    -- are unknown.
    UPDATE threadline.audited_tables SET audited_since = clock_timestamp() WHERE id = tl_id AND tl_resumed;
    IF tl_former.id IS NOT NULL AND tl_had_key <> tl_keys THEN
        PERFORM threadline.own_action('audit.key_changed', jsonb_build_object(
            'table', target, 'table_id', tl_id, 'key', tl_keys, 'former_key', tl_had_key));
    END IF;
    tl_restarted := tl_former.unaudited_at IS NOT NULL OR tl_former.relation <> target AND tl_resumed;
    IF tl_restarted OR tl_former.policy <> policy THEN
        PERFORM threadline.own_action(
            CASE WHEN tl_restarted THEN 'audit.restarted' ELSE 'audit.policy_changed' END,
            jsonb_build_object('table', target, 'table_id', tl_id, 'stopped_at', tl_former.unaudited_at,
                'policy', policy, 'former_policy', tl_former.policy));
    END IF;
    RETURN tl_id;
END
$write_policy$;
REVOKE ALL ON FUNCTION threadline.write_policy(regclass, jsonb, boolean, regclass) FROM PUBLIC;
