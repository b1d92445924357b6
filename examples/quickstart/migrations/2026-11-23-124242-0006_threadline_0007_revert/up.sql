-- The table that is audited under an id, wherever it is now; NULL if none is.
CREATE FUNCTION threadline.relation_of(audited_table integer) RETURNS regclass
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT g.tgrelid::regclass
    FROM pg_trigger AS g
    WHERE g.tgfoid = to_regproc('threadline.capture_' || audited_table)
      AND g.tgparentid = 0
      AND g.tgname = '!threadline_capture_' || audited_table
      AND threadline.audited_table_of(g.tgrelid) = audited_table
    LIMIT 1;
END;

-- What the running transaction did to a record since an instant, also while it
-- had other keys: what a revert did itself, or the application's triggers and
-- references with it.
CREATE FUNCTION threadline.own_changes(
    audited_table integer, record_key text, began timestamptz
) RETURNS SETOF threadline.audit_changes
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_transaction bigint := nullif(split_part(current_setting('threadline.transaction', true), ' ', 1), '');
BEGIN
    -- Found by record, and not through the index on the transaction, which may
    -- have changed a great many.
    RETURN QUERY
    WITH RECURSIVE own AS (
        SELECT c.*
        FROM threadline.audit_changes AS c
        WHERE c.table_id = audited_table AND c.record_key = own_changes.record_key
          AND c.transaction_id + 0 = tl_transaction AND c.captured_at > began
        UNION
        SELECT c.*
        FROM own
        CROSS JOIN LATERAL (
            SELECT *
            FROM threadline.audit_changes AS c
            WHERE c.table_id = audited_table AND c.record_key = own.previous_key
              AND c.transaction_id + 0 = tl_transaction AND c.captured_at > began
            OFFSET 0
        ) AS c
        WHERE own.previous_key IS NOT NULL
    )
    SELECT * FROM own;
END
$$;

-- Has the constraints of tables that wait for the end of the transaction hold at
-- once, or wait again as they were declared.
CREATE FUNCTION threadline.set_deferred(targets regclass[], deferred boolean) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_constraints text;
BEGIN
    SELECT string_agg(DISTINCT format('%I.%I', n.nspname, k.conname), ', ') INTO tl_constraints
    FROM pg_constraint AS k
    JOIN pg_namespace AS n ON n.oid = k.connamespace
    WHERE k.condeferred AND (k.conrelid = ANY (targets) OR k.confrelid = ANY (targets));
    IF tl_constraints IS NOT NULL THEN
        EXECUTE format('SET CONSTRAINTS %s %s', tl_constraints, CASE WHEN deferred THEN 'DEFERRED' ELSE 'IMMEDIATE' END);
    END IF;
END
$$;

-- The columns of an image captured at an instant whose values the audit does not
-- have: those that are masked, or were redacted then, and are not NULL, and for
-- a whole row those it was never given. Generated columns need none.
CREATE FUNCTION threadline.unrestorable(
    audited_table integer, target regclass, image jsonb, captured_at timestamptz, whole boolean
) RETURNS text[]
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT coalesce(array_agg(c.name ORDER BY c.name), '{}')
    FROM threadline.column_policy(audited_table, target) AS c
    JOIN pg_attribute AS a ON a.attrelid = target AND a.attname = c.name AND a.attgenerated = ''
    WHERE (c.treatment <> 'clear' OR c.clear_since > captured_at)
      AND CASE WHEN image ? c.name THEN image -> c.name <> 'null' ELSE whole END;
END;

-- The columns that no longer have the value that a change gave them. Of a masked
-- one the image shows only whether it is NULL: there the record's later changes
-- are asked. What the revert itself brought about does not count.
CREATE FUNCTION threadline.changed_since(
    change threadline.audit_changes, target regclass, after jsonb, live jsonb, began timestamptz
) RETURNS text[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_columns text[];
BEGIN
    SELECT array_agg(c.name ORDER BY c.name) INTO tl_columns
    FROM jsonb_each(after) AS field
    JOIN threadline.column_policy(change.table_id, target) AS c ON c.name = field.key
    WHERE CASE
        WHEN c.treatment = 'exclude' THEN false
        WHEN c.treatment = 'clear' AND c.clear_since > change.captured_at IS NOT TRUE
            THEN (live -> c.name)::text IS DISTINCT FROM field.value::text
        WHEN (live -> c.name = 'null') <> (field.value = 'null') THEN true
        ELSE EXISTS (
            SELECT
            FROM threadline.audit_changes AS later
            WHERE later.table_id = change.table_id AND later.record_key = change.record_key
              AND later.id > change.id AND later.transaction_id <> change.transaction_id
              AND (later.op = 'I'
                   OR threadline.current_names(later.table_id, later.changed_to, later.captured_at) ? c.name))
    END;
    IF tl_columns IS NOT NULL THEN
        SELECT array_agg(name) INTO tl_columns
        FROM unnest(tl_columns) AS name
        WHERE name NOT IN (
            SELECT jsonb_object_keys(own.changed_to)
            FROM threadline.own_changes(change.table_id, change.record_key, began) AS own
            WHERE own.op = 'U');
    END IF;
    RETURN tl_columns;
END
$$;

-- A table with rows that would follow the deletion of a row, by cascade or by
-- losing their reference; NULL if there is none. That a row refers to itself
-- does not count.
CREATE FUNCTION threadline.referencing(target regclass, key_condition text) RETURNS regclass
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_key record;
    tl_found boolean;
BEGIN
    FOR tl_key IN
        SELECT k.conrelid::regclass AS child,
               string_agg(format('tl_child.%I = tl_row.%I', child.attname, parent.attname), ' AND ') AS joined
        FROM pg_constraint AS k
        CROSS JOIN ROWS FROM (unnest(k.conkey), unnest(k.confkey)) AS pair (child, parent)
        JOIN pg_attribute AS child ON child.attrelid = k.conrelid AND child.attnum = pair.child
        JOIN pg_attribute AS parent ON parent.attrelid = k.confrelid AND parent.attnum = pair.parent
        WHERE k.contype = 'f' AND k.confrelid = target AND k.conparentid = 0 AND k.confdeltype IN ('c', 'n', 'd')
        GROUP BY k.oid, k.conrelid
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %s AS tl_row JOIN %s AS tl_child ON %s WHERE %s AND (tl_child.tableoid, tl_child.ctid) <> (tl_row.tableoid, tl_row.ctid))',
            target, tl_key.child, tl_key.joined, key_condition)
        INTO tl_found;
        IF tl_found THEN
            RETURN tl_key.child;
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;

-- Writes an image into a table: as a new row, or over the row that the
-- condition finds. Columns that the image does not have stay as they are. Says
-- whether the row was written: a trigger may not have let it. Runs under the
-- caller's search_path, as whatever it calls does: the application's own
-- triggers fire here.
CREATE FUNCTION threadline.put_row(target regclass, image jsonb, key_condition text DEFAULT NULL) RETURNS boolean
LANGUAGE plpgsql
AS $$
DECLARE
    tl_columns text;
    tl_values text;
    tl_definitions text;
    tl_count bigint;
BEGIN
    SELECT string_agg(format('%I', a.attname), ', ' ORDER BY a.attnum),
           string_agg(
               format(
                   -- As threadline.json_image() has kept it: the text of json with \u0000.
                   CASE WHEN a.atttypid = 'pg_catalog.json'::regtype
                       THEN 'CASE WHEN jsonb_typeof($1 -> %2$L) = ''string'' AND strpos($1 ->> %2$L, chr(92) || ''u0000'') > 0 '
                            'THEN ($1 ->> %2$L)::json ELSE tl_image.%1$I END'
                       ELSE 'tl_image.%1$I'
                   END, a.attname, a.attname),
               ', ' ORDER BY a.attnum),
           string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY a.attnum)
    INTO tl_columns, tl_values, tl_definitions
    FROM pg_attribute AS a
    WHERE a.attrelid = target AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND image ? a.attname;
    IF tl_columns IS NULL THEN
        RETURN key_condition IS NOT NULL;
    ELSIF key_condition IS NULL THEN
        EXECUTE format(
            'INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM jsonb_to_record($1) AS tl_image (%s)',
            target, tl_columns, tl_values, tl_definitions)
        USING image;
    ELSE
        EXECUTE format(
            'UPDATE %s AS tl_row SET (%s) = ROW(%s) FROM jsonb_to_record($1) AS tl_image (%s) WHERE %s',
            threadline.own_rows(target), tl_columns, tl_values, tl_definitions, key_condition)
        USING image;
    END IF;
    GET DIAGNOSTICS tl_count = ROW_COUNT;
    RETURN tl_count > 0;
END
$$;

-- Deletes the row that the condition finds, unless others refer to it. Gives
-- NULL, or why not.
CREATE FUNCTION threadline.delete_row(target regclass, key_condition text) RETURNS text
LANGUAGE plpgsql
AS $$
DECLARE
    tl_child regclass := threadline.referencing(target, key_condition);
    tl_count bigint;
BEGIN
    IF tl_child IS NOT NULL THEN
        RETURN format('rows of %s refer to it', tl_child);
    END IF;
    EXECUTE format('DELETE FROM %s AS tl_row WHERE %s', threadline.own_rows(target), key_condition);
    GET DIAGNOSTICS tl_count = ROW_COUNT;
    RETURN CASE WHEN tl_count = 0 THEN 'a trigger of the table did not let it be deleted' END;
END
$$;

-- Undoes one change, if what it left is still there, or something else only
-- because of the revert itself, which began at an instant. Gives NULL, or why not.
CREATE FUNCTION threadline.revert_change(change threadline.audit_changes, began timestamptz) RETURNS text
LANGUAGE plpgsql
AS $$
DECLARE
    tl_target regclass := threadline.relation_of(change.table_id);
    tl_before jsonb := threadline.current_names(change.table_id,
        CASE WHEN change.op = 'U' THEN change.changed_from ELSE change.row_data END, change.captured_at);
    tl_after jsonb := threadline.current_names(change.table_id,
        CASE WHEN change.op = 'U' THEN change.changed_to ELSE change.row_data END, change.captured_at);
    tl_where text := threadline.key_condition(change.table_id, change.record_key, 'tl_row');
    tl_live jsonb;
    tl_own "char";
    tl_columns text[];
BEGIN
    IF tl_target IS NULL THEN
        RETURN 'the table is no longer audited';
    ELSIF tl_where IS NULL OR tl_before IS NULL THEN
        RETURN 'what is on record does not say which row it was';
    END IF;
    -- Nobody changes it between the look and the write.
    EXECUTE format('SELECT FROM %s AS tl_row WHERE %s FOR UPDATE', threadline.own_rows(tl_target), tl_where);
    tl_live := threadline.live_image(change.table_id, tl_target, change.record_key);
    IF (tl_live IS NULL) <> (change.op IN ('D', 'T')) THEN
        -- Triggers may have gone ahead: those that make a row with another, or
        -- take it away.
        SELECT own.op INTO tl_own
        FROM threadline.own_changes(change.table_id, change.record_key, began) AS own
        WHERE own.op <> 'U'
        ORDER BY own.id DESC
        LIMIT 1;
    END IF;

    IF change.op IN ('D', 'T') THEN
        tl_columns := threadline.unrestorable(change.table_id, tl_target, tl_before, change.captured_at, true);
        IF tl_live IS NOT NULL AND tl_own IS DISTINCT FROM 'I' THEN
            RETURN 'there is another row with this key';
        ELSIF tl_columns <> '{}' THEN
            RETURN 'the audit does not have the values of ' || array_to_string(tl_columns, ', ');
        ELSIF NOT threadline.put_row(tl_target, tl_before, CASE WHEN tl_live IS NOT NULL THEN tl_where END) THEN
            RETURN 'a trigger of the table did not let it be written';
        END IF;
        RETURN NULL;
    END IF;

    IF tl_live IS NULL THEN
        RETURN CASE WHEN change.op = 'U' OR tl_own IS DISTINCT FROM 'D' THEN 'the row is no longer there' END;
    END IF;
    tl_columns := threadline.changed_since(change, tl_target, tl_after, tl_live, began);
    IF tl_columns IS NOT NULL THEN
        RETURN 'changed since: ' || array_to_string(tl_columns, ', ');
    ELSIF change.op = 'I' THEN
        RETURN threadline.delete_row(tl_target, tl_where);
    END IF;
    SELECT array_agg(field.key ORDER BY field.key) INTO tl_columns
    FROM jsonb_object_keys(tl_before) AS field (key)
    WHERE field.key NOT IN (SELECT c.name FROM threadline.column_policy(change.table_id, tl_target) AS c);
    IF tl_columns IS NOT NULL THEN
        RETURN 'the table no longer has the columns ' || array_to_string(tl_columns, ', ');
    END IF;
    tl_columns := threadline.unrestorable(change.table_id, tl_target, tl_before, change.captured_at, false);
    IF tl_columns <> '{}' THEN
        RETURN 'the audit does not have the values of ' || array_to_string(tl_columns, ', ');
    END IF;
    -- A constraint that was deferred by hand would not say so in time.
    IF change.previous_key IS NOT NULL
       AND threadline.live_image(change.table_id, tl_target, change.previous_key) IS NOT NULL THEN
        RETURN 'there is another row with the key that it had';
    ELSIF NOT threadline.put_row(tl_target, tl_before, tl_where) THEN
        RETURN 'a trigger of the table did not let it be written';
    END IF;
    RETURN NULL;
END
$$;

-- Writes rows again that were put back and then changed along with others: an
-- inserted row that goes counts down, by a trigger, what its insertion had
-- counted up and the revert had already put back.
CREATE FUNCTION threadline.put_side_effects_back(changes threadline.audit_changes[], began timestamptz) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    tl_transaction bigint := nullif(split_part(current_setting('threadline.transaction', true), ' ', 1), '');
    tl_record record;
    tl_target regclass;
    tl_live jsonb;
    tl_image jsonb;
BEGIN
    FOR tl_record IN
        WITH own AS (
            SELECT c.table_id, c.record_key, count(*) AS changes
            FROM threadline.audit_changes AS c
            WHERE c.transaction_id = tl_transaction AND c.captured_at > began
            GROUP BY c.table_id, c.record_key
        )
        SELECT c.table_id, c.record_key,
               threadline.jsonb_merge(
                   threadline.current_names(c.table_id,
                       CASE WHEN c.op = 'U' THEN c.changed_from ELSE c.row_data END, c.captured_at)
                   ORDER BY c.id DESC) AS image
        FROM unnest(changes) AS c
        JOIN own USING (table_id, record_key)
        GROUP BY c.table_id, c.record_key, own.changes
        HAVING (array_agg(c.op ORDER BY c.id))[1] <> 'I' AND bool_and(c.previous_key IS NULL)
           -- A trigger that has the last word over a row's own columns keeps it.
           AND own.changes > count(*)
    LOOP
        tl_target := threadline.relation_of(tl_record.table_id);
        tl_live := threadline.live_image(tl_record.table_id, tl_target, tl_record.record_key);
        SELECT jsonb_object_agg(field.key, field.value) INTO tl_image
        FROM jsonb_each(tl_record.image) AS field
        JOIN threadline.column_policy(tl_record.table_id, tl_target) AS c ON c.name = field.key AND c.treatment = 'clear'
        WHERE (tl_live -> field.key)::text <> field.value::text;
        PERFORM threadline.put_row(tl_target, tl_image,
            threadline.key_condition(tl_record.table_id, tl_record.record_key, 'tl_row'))
        WHERE tl_image IS NOT NULL;
    END LOOP;
END
$$;

-- Undoes changes, newest first, as new audited changes: all of them, or none
-- and the reasons. What fails for the order alone, such as a row whose parent
-- is yet to be put back, is tried again after the others, in the other order;
-- but of one record, no change before those that came after it.
CREATE FUNCTION threadline.revert_changes(
    changes threadline.audit_changes[],
    OUT change_id bigint, OUT schema_name text, OUT table_name text, OUT key jsonb, OUT reason text
) RETURNS SETOF record
LANGUAGE plpgsql
AS $$
#variable_conflict use_column
DECLARE
    tl_began timestamptz := clock_timestamp();
    tl_targets regclass[];
    tl_changes threadline.audit_changes[];
    tl_next_of_record integer[];
    tl_done boolean[];
    tl_pending integer[];
    tl_left integer[];
    tl_reasons text[];
    tl_at integer;
    tl_reason text;
BEGIN
    SELECT array_agg(c.change ORDER BY c.position), array_agg(c.next_of_record ORDER BY c.position),
           array_agg(false), array_agg(c.position ORDER BY c.position)
    INTO tl_changes, tl_next_of_record, tl_done, tl_pending
    FROM (
        SELECT numbered.change, numbered.position,
               lead(numbered.position) OVER (
                   PARTITION BY (numbered.change).table_id, (numbered.change).record_key ORDER BY numbered.position
               ) AS next_of_record
        FROM (SELECT c AS change, row_number() OVER (ORDER BY c.id) AS position FROM unnest(changes) AS c) AS numbered
    ) AS c;
    SELECT array_agg(threadline.relation_of(t.id)) INTO tl_targets
    FROM (SELECT DISTINCT c.table_id AS id FROM unnest(changes) AS c) AS t;
    BEGIN
        PERFORM threadline.set_deferred(tl_targets, false);
        WHILE cardinality(tl_pending) > 0 LOOP
            tl_left := '{}';
            tl_reasons := '{}';
            FOR tl_place IN REVERSE cardinality(tl_pending)..1 LOOP
                tl_at := tl_pending[tl_place];
                IF NOT tl_done[tl_next_of_record[tl_at]] THEN
                    -- Whose turn comes, has the reason.
                    tl_left := array_append(tl_left, tl_at);
                    tl_reasons := array_append(tl_reasons, NULL);
                    CONTINUE;
                END IF;
                BEGIN
                    tl_reason := threadline.revert_change(tl_changes[tl_at], tl_began);
                EXCEPTION
                    WHEN integrity_constraint_violation OR data_exception OR insufficient_privilege
                        OR undefined_column OR raise_exception OR with_check_option_violation THEN
                        tl_reason := SQLERRM;
                END;
                tl_done[tl_at] := tl_reason IS NULL;
                IF tl_reason IS NOT NULL THEN
                    tl_left := array_append(tl_left, tl_at);
                    tl_reasons := array_append(tl_reasons, tl_reason);
                END IF;
            END LOOP;
            IF cardinality(tl_left) = cardinality(tl_pending) THEN
                RAISE EXCEPTION USING ERRCODE = 'TL001', MESSAGE = 'conflicts';
            END IF;
            tl_pending := tl_left;
        END LOOP;
        PERFORM threadline.put_side_effects_back(changes, tl_began);
        PERFORM threadline.set_deferred(tl_targets, true);
    EXCEPTION WHEN SQLSTATE 'TL001' THEN
        RETURN QUERY
        SELECT c.id, t.schema_name, t.table_name,
               threadline.key_json(t.key_columns, t.key_types, c.record_key), c.reason
        FROM (
            SELECT (tl_changes[at]).id, (tl_changes[at]).table_id, (tl_changes[at]).record_key, reason
            FROM ROWS FROM (unnest(tl_left), unnest(tl_reasons)) AS still (at, reason)
            WHERE reason IS NOT NULL
        ) AS c
        LEFT JOIN threadline.audited_tables AS t ON t.id = c.table_id
        ORDER BY c.id DESC;
    END;
END
$$;

-- Undoes what an AuditTransaction changed, as new audited changes: all of it, or
-- nothing and the reasons.
--
--   BEGIN; SELECT * FROM threadline.revert_transaction(7); COMMIT;
CREATE FUNCTION threadline.revert_transaction(
    audit_transaction bigint,
    OUT change_id bigint, OUT schema_name text, OUT table_name text, OUT key jsonb, OUT reason text
) RETURNS SETOF record
LANGUAGE sql
BEGIN ATOMIC
    SELECT r.*
    FROM threadline.revert_changes(ARRAY(
        SELECT c FROM threadline.audit_changes AS c WHERE c.transaction_id = audit_transaction
    )) AS r;
END;
COMMENT ON FUNCTION threadline.revert_transaction(bigint) IS
    'Undoes what a transaction changed, if nothing changed since; gives the reasons why not';

-- The key that a record has now which had another one after a change; NULL if
-- the record is gone.
CREATE FUNCTION threadline.key_now(audited_table integer, record_key text, after_change bigint) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_key text := record_key;
    tl_end threadline.audit_changes;
    tl_last threadline.audit_changes;
BEGIN
    tl_last.id := after_change;
    LOOP
        -- In a statement that shifts keys, who leaves makes room for who comes.
        SELECT * INTO tl_end
        FROM (
            (SELECT * FROM threadline.audit_changes AS c
             WHERE c.table_id = audited_table AND c.record_key = tl_key
               AND c.id > tl_last.id AND c.op IN ('D', 'T')
             ORDER BY c.id LIMIT 1)
            UNION ALL
            (SELECT * FROM threadline.audit_changes AS c
             WHERE c.table_id = audited_table AND c.previous_key = tl_key AND c.id > tl_last.id
               AND (c.transaction_id, c.statement) IS DISTINCT FROM (tl_last.transaction_id, tl_last.statement)
             ORDER BY c.id LIMIT 1)
        ) AS either
        ORDER BY either.id
        LIMIT 1;
        IF NOT FOUND THEN
            RETURN tl_key;
        ELSIF tl_end.op <> 'U' THEN
            RETURN NULL;
        END IF;
        tl_key := tl_end.record_key;
        tl_last := tl_end;
    END LOOP;
END
$$;

-- The key that a record which is there now had at an instant; NULL if it came
-- to be since.
CREATE FUNCTION threadline.key_then(audited_table integer, record_key text, instant timestamptz) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_key text := record_key;
    tl_birth threadline.audit_changes;
    tl_last threadline.audit_changes;
BEGIN
    tl_last.id := 9223372036854775807;
    LOOP
        SELECT * INTO tl_birth
        FROM threadline.audit_changes AS c
        WHERE c.table_id = audited_table AND c.record_key = tl_key AND c.id < tl_last.id
          AND (c.op = 'I' OR c.previous_key IS NOT NULL)
          AND (c.transaction_id, c.statement) IS DISTINCT FROM (tl_last.transaction_id, tl_last.statement)
        ORDER BY c.id DESC
        LIMIT 1;
        IF NOT FOUND OR (tl_birth.captured_at <= instant
                         AND threadline.last_captured(tl_birth.transaction_id) <= instant) THEN
            RETURN tl_key;
        ELSIF tl_birth.op = 'I' THEN
            RETURN NULL;
        END IF;
        tl_key := tl_birth.previous_key;
        tl_last := tl_birth;
    END LOOP;
END
$$;

-- Puts a record back to what it was at an instant. Gives NULL, or why not.
CREATE FUNCTION threadline.put_record_back(target regclass, record_key text, instant timestamptz) RETURNS text
LANGUAGE plpgsql
AS $$
#variable_conflict use_column
DECLARE
    tl_id integer := threadline.audited_table_of(target);
    tl_where text := threadline.key_condition(tl_id, put_record_back.record_key, 'tl_row');
    tl_then record;
    tl_live jsonb;
    tl_other text;
    tl_image jsonb;
    tl_columns text[];
BEGIN
    IF tl_where IS NOT NULL THEN
        EXECUTE format('SELECT FROM %s AS tl_row WHERE %s FOR UPDATE', threadline.own_rows(target), tl_where);
    END IF;
    SELECT * INTO tl_then FROM threadline.record_as_of(target, put_record_back.record_key, instant);
    tl_live := threadline.live_image(tl_id, target, put_record_back.record_key);
    IF tl_then.state = 'unsettled' THEN
        RETURN 'what was then is not settled yet: a transaction that wrote audited rows by then is still open';
    ELSIF tl_then.state = 'unaudited' THEN
        RETURN 'the table was not audited then';
    ELSIF tl_then.state = 'incomplete' THEN
        RETURN 'only what changed is on record, not the whole row';
    END IF;

    -- A record is not doubled, nor lost, because it has another key now.
    tl_other := threadline.key_then(tl_id, put_record_back.record_key, instant);
    IF tl_live IS NOT NULL AND tl_other <> put_record_back.record_key THEN
        RETURN 'the record that has this key now had another one then: ' || tl_other;
    ELSIF tl_then.state <> 'there' THEN
        RETURN CASE WHEN tl_live IS NOT NULL THEN threadline.delete_row(target, tl_where) END;
    END IF;
    tl_other := threadline.key_now(tl_id, put_record_back.record_key, coalesce(tl_then.change_id, 0));
    IF tl_other <> put_record_back.record_key THEN
        RETURN 'the record that had this key then has another one now: ' || tl_other;
    END IF;

    -- Of a row that is the same one, only what changed matters.
    tl_columns := threadline.unrestorable(tl_id, target, tl_then.image, instant, true);
    IF tl_live IS NOT NULL AND tl_other IS NOT NULL THEN
        SELECT array_agg(name ORDER BY name) INTO tl_columns
        FROM unnest(tl_columns) AS name
        WHERE EXISTS (
            SELECT
            FROM threadline.audit_changes AS c
            WHERE c.table_id = tl_id AND c.record_key = put_record_back.record_key AND c.id > coalesce(tl_then.change_id, 0)
              -- Whatever happened under another key counts.
              AND (c.previous_key IS NOT NULL OR threadline.current_names(tl_id, c.changed_to, c.captured_at) ? name));
    END IF;
    IF tl_columns <> '{}' THEN
        RETURN CASE WHEN tl_live IS NOT NULL THEN 'changed since, and ' ELSE '' END
            || 'the audit does not have the values of ' || array_to_string(tl_columns, ', ');
    END IF;

    -- What differs alone is written, to the digit.
    SELECT coalesce(jsonb_object_agg(field.key, field.value), '{}') INTO tl_image
    FROM jsonb_each(tl_then.image) AS field
    WHERE tl_live IS NULL OR (tl_live ? field.key AND (tl_live -> field.key)::text <> field.value::text);
    IF tl_image <> '{}' AND NOT threadline.put_row(target, tl_image, CASE WHEN tl_live IS NOT NULL THEN tl_where END) THEN
        RETURN 'a trigger of the table did not let it be written';
    END IF;
    RETURN NULL;
END
$$;

-- Puts a record back to what it was at an instant, as a new audited change.
-- Gives NULL, or why not.
CREATE FUNCTION threadline.revert_record(target regclass, record_key text, instant timestamptz) RETURNS text
LANGUAGE plpgsql
AS $$
DECLARE
    tl_reason text;
BEGIN
    PERFORM threadline.set_deferred(ARRAY[target], false);
    tl_reason := threadline.put_record_back(target, record_key, instant);
    PERFORM threadline.set_deferred(ARRAY[target], true);
    RETURN tl_reason;
EXCEPTION
    WHEN integrity_constraint_violation OR data_exception OR insufficient_privilege
        OR undefined_column OR raise_exception OR with_check_option_violation THEN
        RETURN SQLERRM;
END
$$;
COMMENT ON FUNCTION threadline.revert_record(regclass, text, timestamptz) IS
    'Puts a record back to what it was at an instant; gives the reason why not';

INSERT INTO threadline.schema_patches (version) VALUES (7);
