-- Records the action audit.triggers_changed when a command leaves an audited table without a
-- trigger of the audit, or detaches or drops one of its partitions. So writes in the meantime
-- leave a trace even if the trigger is restored before anyone looks. Called by the event triggers
-- that `audit protect` creates. It compares the state after the command, so that audit(),
-- refresh() and unaudit() record nothing, and it does not depend on settings. It also maintains
-- threadline.known_partitions: which rows an attached partition holds, who removed it and when.
-- ALTER TABLE ... TYPE ... USING changes values bypassing the triggers, and records the action
-- audit.table_rewritten: migrations do that, too.
CREATE OR REPLACE FUNCTION threadline.watch() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, threadline, pg_temp
SET jit = off
SET quote_all_identifiers = off
SET standard_conforming_strings = on AS $$
DECLARE
    tl_change record;
BEGIN
    IF TG_EVENT = 'table_rewrite' THEN
        -- 4: a column got another type.
        IF pg_event_trigger_table_rewrite_reason() & 4 <> 0 THEN
            PERFORM threadline.own_action('audit.table_rewritten', jsonb_build_object(
                'table', pg_event_trigger_table_rewrite_oid()::regclass, 'table_id', t.id, 'command', TG_TAG))
            FROM threadline.audited_tables AS t
            WHERE t.unaudited_at IS NULL
              AND threadline.locate_table(t.id) IN (
                  pg_event_trigger_table_rewrite_oid(), pg_partition_root(pg_event_trigger_table_rewrite_oid()));
        END IF;
        RETURN;
    END IF;
    IF TG_EVENT = 'sql_drop' THEN
        -- Not those of a table that was dropped with them.
        UPDATE threadline.known_partitions AS k
        SET name = format('%I.%I', d.schema_name, d.object_name), left_at = clock_timestamp(), left_by = session_user
        FROM pg_event_trigger_dropped_objects() AS d, threadline.audited_tables AS t
        WHERE d.classid = 'pg_class'::regclass AND d.objsubid = 0 AND d.objid = k.part
          AND k.left_at IS NULL AND t.id = k.table_id AND t.unaudited_at IS NULL
          AND threadline.audited_table_of(t.relation) IS NOT DISTINCT FROM t.id;
        IF NOT EXISTS (SELECT FROM pg_event_trigger_dropped_objects() AS d WHERE NOT d.is_temporary AND d.object_type = 'trigger') THEN
            RETURN;
        END IF;
        FOR tl_change IN
            WITH dropped AS MATERIALIZED (
                SELECT * FROM pg_event_trigger_dropped_objects() AS d WHERE NOT d.is_temporary AND d.object_type IN ('trigger', 'table')
            )
            SELECT DISTINCT ON (t.id) t.id AS table_id, gone.schema_name, gone.table_name,
                   CASE WHEN gone.relation IS NULL THEN format('trigger %I was dropped', gone.trigger_name) ELSE 'the table was dropped' END AS what
            FROM (
                SELECT DISTINCT ON (substring(d.address_names[3] FROM '[0-9]+$'), d.address_names[1], d.address_names[2])
                       substring(d.address_names[3] FROM '[0-9]+$')::integer AS id, d.address_names[1] AS schema_name,
                       d.address_names[2] AS table_name, d.address_names[3] AS trigger_name, c.objid AS relation
                FROM dropped AS d
                LEFT JOIN dropped AS c ON c.object_type = 'table' AND c.objsubid = 0 AND (c.schema_name, c.object_name) = (d.address_names[1], d.address_names[2])
                WHERE d.object_type = 'trigger' AND d.address_names[3] ~ '^!threadline_(capture|truncate)_[0-9]{1,9}$'
            ) AS gone
            JOIN threadline.audited_tables AS t ON t.id = gone.id AND t.unaudited_at IS NULL
            CROSS JOIN LATERAL (SELECT threadline.locate_table(t.id) AS relation) AS at
            WHERE CASE
                -- Not that of a copy of the table.
                WHEN gone.relation IS NOT NULL THEN
                    gone.relation = t.relation OR (gone.schema_name, gone.table_name) = (t.schema_name, t.table_name)
                    OR gone.relation IN (SELECT w.part FROM threadline.watched_partitions AS w WHERE w.table_id = t.id)
                ELSE EXISTS (
                    SELECT
                    FROM threadline.expected_triggers(t.id, at.relation) AS e
                    JOIN pg_class AS c ON c.oid = e.relation
                    JOIN pg_namespace AS n ON n.oid = c.relnamespace
                    WHERE (n.nspname, c.relname, e.name) = (gone.schema_name, gone.table_name, gone.trigger_name)
                      AND NOT EXISTS (SELECT FROM pg_trigger AS g WHERE g.tgrelid = e.relation AND g.tgname = e.name)) END
            ORDER BY t.id, gone.relation = t.relation DESC, gone.schema_name, gone.table_name
        LOOP
            PERFORM threadline.note_tampering(tl_change.table_id, format('%I.%I', tl_change.schema_name, tl_change.table_name), TG_TAG, tl_change.what);
        END LOOP;
        RETURN;
    END IF;

    IF NOT EXISTS (
        SELECT
        FROM pg_event_trigger_ddl_commands() AS c
        LEFT JOIN pg_class AS r ON c.classid = 'pg_class'::regclass AND r.oid = c.objid
        WHERE c.schema_name IS DISTINCT FROM 'pg_temp' AND (c.command_tag <> 'CREATE TABLE' OR r.relispartition)
    ) THEN
        RETURN;
    END IF;
    FOR tl_change IN
        WITH touched AS MATERIALIZED (
            SELECT DISTINCT c.command_tag, coalesce(g.tgrelid, c.objid) AS relation, g.oid AS trigger
            FROM pg_event_trigger_ddl_commands() AS c
            LEFT JOIN pg_trigger AS g ON c.classid = 'pg_trigger'::regclass AND g.oid = c.objid
            WHERE c.classid = 'pg_class'::regclass OR g.oid IS NOT NULL
        ), candidate AS MATERIALIZED (
            SELECT touched.*, t.id, root.oid AS root
            FROM touched
            CROSS JOIN LATERAL (SELECT coalesce(pg_partition_root(touched.relation)::oid, touched.relation) AS oid) AS root
            CROSS JOIN LATERAL (
                SELECT ARRAY(
                    SELECT substring(p.proname FROM '^capture_([0-9]{1,9})$')::integer
                    FROM pg_trigger AS g
                    JOIN pg_proc AS p ON p.oid = g.tgfoid AND p.pronamespace = 'threadline'::regnamespace
                    WHERE g.tgrelid IN (touched.relation, root.oid)) AS ids
            ) AS called
            JOIN threadline.audited_tables AS t ON t.unaudited_at IS NULL AND (t.relation = root.oid OR t.id = ANY (called.ids))
        ), audited AS MATERIALIZED (
            -- Not that of a copy of the table.
            SELECT c.* FROM candidate AS c WHERE threadline.locate_table(c.id) = c.root
        ), gone AS (
            DELETE FROM threadline.watched_partitions AS w
            USING (SELECT DISTINCT a.id, a.root FROM audited AS a) AS a
            WHERE w.table_id = a.id AND w.part NOT IN (SELECT p.relid FROM pg_partition_tree(a.root) AS p)
            RETURNING w.part, w.table_id
        ), come AS (
            INSERT INTO threadline.watched_partitions (part, table_id)
            SELECT p.relid, a.id
            FROM (SELECT DISTINCT a.id, a.root FROM audited AS a) AS a
            CROSS JOIN pg_partition_tree(a.root) AS p
            WHERE p.relid <> a.root
            ON CONFLICT (part) DO UPDATE SET table_id = excluded.table_id
            WHERE watched_partitions.table_id <> excluded.table_id
        ), leaf AS MATERIALIZED (
            SELECT a.id AS table_id, p.relid AS part
            FROM (SELECT DISTINCT a.id, a.root FROM audited AS a) AS a
            CROSS JOIN pg_partition_tree(a.root) AS p
            WHERE p.isleaf AND p.relid <> a.root
        ), known AS (
            INSERT INTO threadline.known_partitions AS k (table_id, part, name, rows_of, known_at)
            SELECT l.table_id, l.part, l.part::regclass::text, threadline.rows_of_partition(l.part), clock_timestamp()
            FROM leaf AS l
            ON CONFLICT (table_id, part) DO UPDATE
            SET name = excluded.name, rows_of = excluded.rows_of, known_at = excluded.known_at, left_at = NULL, left_by = NULL, noted_at = NULL
            WHERE k.left_at IS NOT NULL
        ), departed AS (
            UPDATE threadline.known_partitions AS k
            SET name = k.part::regclass::text, left_at = clock_timestamp(), left_by = session_user
            WHERE k.left_at IS NULL AND k.table_id IN (SELECT a.id FROM audited AS a)
              AND (k.table_id, k.part) NOT IN (SELECT l.table_id, l.part FROM leaf AS l)
              AND EXISTS (SELECT FROM pg_class AS c WHERE c.oid = k.part)
        )
        SELECT found.table_id, found.relation, string_agg(found.what, ', ' ORDER BY found.what) AS what
        FROM (
            SELECT g.table_id, g.part::regclass::text AS relation, 'the partition was detached' AS what
            FROM gone AS g
            -- A dropped partition is noted as dropped.
            WHERE EXISTS (SELECT FROM pg_class AS c WHERE c.oid = g.part)
            UNION ALL
            SELECT a.id, e.relation::text,
                   format(CASE WHEN a.command_tag = 'CREATE TRIGGER' THEN 'trigger %I was replaced by another one'
                               WHEN g.oid IS NULL THEN 'trigger %I is not there under its name'
                               WHEN g.tgenabled = 'R' THEN 'trigger %I was made to fire for replicated changes only'
                               ELSE 'trigger %I was disabled' END, e.name)
            FROM audited AS a
            JOIN threadline.audited_tables AS t ON t.id = a.id
            CROSS JOIN LATERAL threadline.expected_triggers(a.id, a.root) AS e
            LEFT JOIN pg_trigger AS g ON g.tgrelid = e.relation AND g.tgname = e.name
            WHERE e.relation = a.relation AND CASE
                WHEN a.command_tag = 'CREATE TRIGGER' THEN
                    -- Until the condition is noted, its deparsed form is not known.
                    g.oid = a.trigger AND threadline.deparsed_trigger(g.oid) <> e.definition AND NOT (t.policy ? 'condition' AND t.deparsed_condition IS NULL)
                WHEN a.command_tag = 'CREATE TABLE' THEN false
                -- Partitions that come later have none for TRUNCATE.
                ELSE g.tgenabled IN ('D', 'R') OR (g.oid IS NULL AND (a.relation = a.root OR e.inherited)) END
        ) AS found
        GROUP BY found.table_id, found.relation
    LOOP
        PERFORM threadline.note_tampering(tl_change.table_id, tl_change.relation, TG_TAG, tl_change.what);
    END LOOP;
EXCEPTION
    -- No command fails because of this.
    WHEN insufficient_privilege OR undefined_table OR undefined_function OR undefined_column OR undefined_object OR invalid_schema_name
      OR data_exception OR integrity_constraint_violation OR program_limit_exceeded OR internal_error OR raise_exception THEN
        RAISE WARNING 'threadline: the effect of the command % on audited tables could not be checked: %', TG_TAG, SQLERRM;
END
$$;
REVOKE ALL ON FUNCTION threadline.watch() FROM PUBLIC;
