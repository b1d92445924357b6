-- The table that is audited under an id, wherever it is now; NULL if none is.
CREATE FUNCTION threadline.relation_of(audited_table integer) RETURNS regclass
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT g.tgrelid::regclass
    FROM pg_trigger AS g
    WHERE g.tgfoid = to_regproc('threadline.capture_' || audited_table)
      AND g.tgparentid = 0
      AND g.tgname = '!threadline_capture'
      AND threadline.audited_table_of(g.tgrelid) = audited_table
    LIMIT 1;
END;

-- The columns of an image whose values the audit does not have: masked ones
-- that are not NULL, and, for a whole row, those it was never given.
CREATE FUNCTION threadline.unrestorable(audited_table integer, image jsonb, whole boolean) RETURNS text[]
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT coalesce(array_agg(c.name ORDER BY c.name), '{}')
    FROM threadline.audited_tables AS t
    CROSS JOIN jsonb_to_recordset(t.columns) AS c (name text, treatment text)
    WHERE t.id = audited_table
      AND CASE c.treatment
              WHEN 'mask' THEN coalesce(image -> c.name, 'null') <> 'null'
              WHEN 'exclude' THEN whole
              ELSE false
          END;
END;

-- A table with rows that would follow the deletion of a row, by cascade or by
-- losing their reference; NULL if there is none.
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
        EXECUTE format('SELECT EXISTS (SELECT FROM %s AS tl_row JOIN %s AS tl_child ON %s WHERE %s)',
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
-- condition finds. Columns that the image does not have stay as they are. Runs
-- under the caller's search_path, as whatever it calls does: the application's
-- own triggers fire here.
CREATE FUNCTION threadline.put_row(target regclass, image jsonb, key_condition text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    tl_columns text;
    tl_values text;
BEGIN
    SELECT string_agg(format('%I', a.attname), ', ' ORDER BY a.attnum),
           string_agg(format('tl_image.%I', a.attname), ', ' ORDER BY a.attnum)
    INTO tl_columns, tl_values
    FROM pg_attribute AS a
    WHERE a.attrelid = target AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND image ? a.attname;
    IF tl_columns IS NULL THEN
        RETURN;
    ELSIF key_condition IS NULL THEN
        EXECUTE format(
            'INSERT INTO %1$s (%2$s) OVERRIDING SYSTEM VALUE SELECT %3$s FROM jsonb_populate_record(NULL::%1$s, $1) AS tl_image',
            target, tl_columns, tl_values)
        USING image;
    ELSE
        EXECUTE format(
            'UPDATE %1$s AS tl_row SET (%2$s) = ROW(%3$s) FROM jsonb_populate_record(NULL::%1$s, $1) AS tl_image WHERE %4$s',
            target, tl_columns, tl_values, key_condition)
        USING image;
    END IF;
END
$$;

-- Undoes one change, if what it left is still there. Gives NULL, or why not.
CREATE FUNCTION threadline.revert_change(change threadline.audit_changes) RETURNS text
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
    tl_columns text[];
    tl_child regclass;
BEGIN
    IF tl_target IS NULL THEN
        RETURN 'the table is no longer audited';
    ELSIF tl_where IS NULL OR tl_before IS NULL THEN
        RETURN 'what is on record does not say which row it was';
    END IF;
    -- Nobody changes it between the look and the write.
    EXECUTE format('SELECT FROM %s AS tl_row WHERE %s FOR UPDATE', tl_target, tl_where);
    tl_live := threadline.live_image(change.table_id, tl_target, change.record_key);

    IF change.op IN ('D', 'T') THEN
        tl_columns := threadline.unrestorable(change.table_id, tl_before, true);
        IF tl_live IS NOT NULL THEN
            RETURN 'there is another row with this key';
        ELSIF tl_columns <> '{}' THEN
            RETURN 'the audit does not have the values of ' || array_to_string(tl_columns, ', ');
        END IF;
        PERFORM threadline.put_row(tl_target, tl_before);
        RETURN NULL;
    END IF;

    IF tl_live IS NULL THEN
        RETURN 'the row is no longer there';
    END IF;
    SELECT array_agg(field.key ORDER BY field.key) INTO tl_columns
    FROM jsonb_each(tl_after) AS field
    WHERE tl_live -> field.key IS DISTINCT FROM field.value;
    IF tl_columns IS NOT NULL THEN
        RETURN 'changed since: ' || array_to_string(tl_columns, ', ');
    ELSIF change.op = 'I' THEN
        tl_child := threadline.referencing(tl_target, tl_where);
        IF tl_child IS NOT NULL THEN
            RETURN format('rows of %s refer to it', tl_child);
        END IF;
        EXECUTE format('DELETE FROM %s AS tl_row WHERE %s', tl_target, tl_where);
        RETURN NULL;
    END IF;
    tl_columns := threadline.unrestorable(change.table_id, tl_before, false);
    IF tl_columns <> '{}' THEN
        RETURN 'the audit does not have the values of ' || array_to_string(tl_columns, ', ');
    END IF;
    -- A deferred constraint would not say so in time.
    IF change.previous_key IS NOT NULL
       AND threadline.live_image(change.table_id, tl_target, change.previous_key) IS NOT NULL THEN
        RETURN 'there is another row with the key that it had';
    END IF;
    PERFORM threadline.put_row(tl_target, tl_before, tl_where);
    RETURN NULL;
END
$$;

-- Undoes changes, newest first, as new audited changes: all of them, or none
-- and the reasons. What fails for the order alone, such as a row whose parent
-- is yet to be put back, is tried again after the others.
CREATE FUNCTION threadline.revert_changes(
    changes threadline.audit_changes[],
    OUT change_id bigint, OUT schema_name text, OUT table_name text, OUT key jsonb, OUT reason text
) RETURNS SETOF record
LANGUAGE plpgsql
AS $$
#variable_conflict use_column
DECLARE
    tl_pending threadline.audit_changes[];
    tl_left threadline.audit_changes[];
    tl_reasons text[];
    tl_change threadline.audit_changes;
    tl_reason text;
BEGIN
    SELECT array_agg(c ORDER BY c.id DESC) INTO tl_pending FROM unnest(changes) AS c;
    BEGIN
        WHILE cardinality(tl_pending) > 0 LOOP
            tl_left := '{}';
            tl_reasons := '{}';
            FOREACH tl_change IN ARRAY tl_pending LOOP
                BEGIN
                    tl_reason := threadline.revert_change(tl_change);
                EXCEPTION
                    WHEN integrity_constraint_violation OR data_exception OR insufficient_privilege OR undefined_column THEN
                        tl_reason := SQLERRM;
                END;
                IF tl_reason IS NOT NULL THEN
                    tl_left := tl_left || tl_change;
                    tl_reasons := tl_reasons || tl_reason;
                END IF;
            END LOOP;
            IF cardinality(tl_left) = cardinality(tl_pending) THEN
                RAISE EXCEPTION USING ERRCODE = 'TL001', MESSAGE = 'conflicts';
            END IF;
            tl_pending := tl_left;
        END LOOP;
    EXCEPTION WHEN SQLSTATE 'TL001' THEN
        RETURN QUERY
        SELECT c.id, t.schema_name, t.table_name,
               threadline.key_json(t.key_columns, t.key_types, c.record_key), c.reason
        FROM (
            SELECT (tl_left[position]).id, (tl_left[position]).table_id, (tl_left[position]).record_key,
                   tl_reasons[position] AS reason
            FROM generate_subscripts(tl_left, 1) AS position
        ) AS c
        LEFT JOIN threadline.audited_tables AS t ON t.id = c.table_id;
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

-- Puts a record back to what it was at an instant, as a new audited change.
-- Gives NULL, or why not.
CREATE FUNCTION threadline.revert_record(target regclass, record_key text, instant timestamptz) RETURNS text
LANGUAGE plpgsql
AS $$
#variable_conflict use_column
DECLARE
    tl_id integer := threadline.audited_table_of(target);
    tl_where text;
    tl_then record;
    tl_live jsonb;
    tl_image jsonb;
    tl_columns text[];
    tl_child regclass;
BEGIN
    tl_where := threadline.key_condition(tl_id, revert_record.record_key, 'tl_row');
    IF tl_where IS NOT NULL THEN
        EXECUTE format('SELECT FROM %s AS tl_row WHERE %s FOR UPDATE', target, tl_where);
    END IF;
    SELECT * INTO tl_then FROM threadline.record_as_of(target, revert_record.record_key, instant);
    tl_live := threadline.live_image(tl_id, target, revert_record.record_key);
    IF tl_then.state = 'there' AND tl_live IS NULL THEN
        tl_columns := threadline.unrestorable(tl_id, tl_then.image, true);
        IF tl_columns <> '{}' THEN
            RETURN 'the audit does not have the values of ' || array_to_string(tl_columns, ', ');
        END IF;
        PERFORM threadline.put_row(target, tl_then.image);
    ELSIF tl_then.state = 'there' THEN
        -- What differs alone is written.
        SELECT jsonb_object_agg(field.key, field.value) INTO tl_image
        FROM jsonb_each(tl_then.image) AS field
        WHERE tl_live ? field.key AND tl_live -> field.key IS DISTINCT FROM field.value;
        SELECT array_agg(DISTINCT masked ORDER BY masked) INTO tl_columns
        FROM threadline.audit_changes AS c
        CROSS JOIN LATERAL unnest(threadline.unrestorable(tl_id, c.changed_from, false)) AS masked
        WHERE c.table_id = tl_id AND c.record_key = revert_record.record_key
          AND c.id > coalesce(tl_then.change_id, 0) AND c.op = 'U';
        IF tl_columns IS NOT NULL THEN
            RETURN 'changed since, and the audit does not have the values of ' || array_to_string(tl_columns, ', ');
        END IF;
        PERFORM threadline.put_row(target, tl_image, tl_where) WHERE tl_image IS NOT NULL;
    ELSIF tl_then.state IN ('never', 'deleted', 'moved') AND tl_live IS NOT NULL THEN
        tl_child := threadline.referencing(target, tl_where);
        IF tl_child IS NOT NULL THEN
            RETURN format('rows of %s refer to it', tl_child);
        END IF;
        EXECUTE format('DELETE FROM %s AS tl_row WHERE %s', target, tl_where);
    ELSIF tl_then.state = 'unsettled' THEN
        RETURN 'what was then is not settled yet: a transaction that wrote audited rows by then is still open';
    ELSIF tl_then.state = 'unaudited' THEN
        RETURN 'the table was not audited then';
    ELSIF tl_then.state = 'incomplete' THEN
        RETURN 'only what changed is on record, not the whole row';
    END IF;
    RETURN NULL;
EXCEPTION
    WHEN integrity_constraint_violation OR data_exception THEN
        RETURN SQLERRM;
END
$$;
COMMENT ON FUNCTION threadline.revert_record(regclass, text, timestamptz) IS
    'Puts a record back to what it was at an instant; gives the reason why not';

INSERT INTO threadline.schema_patches (version) VALUES (7);
