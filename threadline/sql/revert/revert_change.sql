-- Undoes one change if its result is still there, or differs only because of the revert itself,
-- which began at an instant. Returns NULL, or the reason why not.
CREATE OR REPLACE FUNCTION threadline.revert_change(change threadline.audit_changes, began timestamptz) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    tl_target regclass := threadline.relation_of(change.table_id);
    tl_alterations jsonb := threadline.alterations_of(change.table_id);
    tl_before jsonb := threadline.relabelled_image(tl_alterations, threadline.current_names(change.table_id,
        CASE WHEN change.op = 'U' THEN change.changed_from ELSE change.row_data END, change.captured_at), change.captured_at);
    tl_after jsonb := threadline.relabelled_image(tl_alterations, threadline.current_names(change.table_id,
        CASE WHEN change.op = 'U' THEN change.changed_to ELSE change.row_data END, change.captured_at), change.captured_at);
    tl_where text := threadline.key_condition(change.table_id, change.record_key, 'tl_row');
    tl_live jsonb;
    tl_own "char";
    tl_columns text[];
    tl_ignored text[];
BEGIN
    IF tl_target IS NULL THEN
        RETURN 'the table is no longer audited';
    ELSIF change.id <= threadline.key_since(change.table_id) THEN
        RETURN 'the primary key of the table was another then';
    ELSIF tl_where IS NULL OR tl_before IS NULL THEN
        RETURN 'what is on record does not say which row it was';
    END IF;
    -- Locked, so that it cannot change between the check and the write.
    EXECUTE format('SELECT FROM %s AS tl_row WHERE %s FOR UPDATE', threadline.own_rows(tl_target), tl_where);
    tl_live := threadline.live_image(change.table_id, tl_target, change.record_key);
    IF (tl_live IS NULL) <> (change.op IN ('D', 'T')) THEN
        -- Triggers may have done it already: those that insert or delete a row along with
        -- another.
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
        ELSIF NOT threadline.write_row(tl_target, tl_before, CASE WHEN tl_live IS NOT NULL THEN tl_where END) THEN
            RETURN 'a trigger of the table did not let it be written';
        END IF;
        RETURN NULL;
    END IF;

    IF tl_live IS NULL THEN
        RETURN CASE WHEN change.op = 'U' OR tl_own IS DISTINCT FROM 'D' THEN 'the row is no longer there' END;
    END IF;
    -- The revert does not restore these.
    tl_ignored := threadline.ignored_columns(change.table_id);
    tl_columns := threadline.changed_since(change, tl_target, tl_after - tl_ignored, tl_live, began);
    IF tl_columns IS NOT NULL THEN
        RETURN 'changed since: ' || array_to_string(tl_columns, ', ');
    ELSIF change.op = 'I' THEN
        RETURN threadline.delete_row(tl_target, tl_where);
    END IF;
    tl_before := tl_before - tl_ignored;
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
    -- A constraint that was deferred by hand would not report the conflict in time.
    IF change.previous_key IS NOT NULL
       AND threadline.live_image(change.table_id, tl_target, change.previous_key) IS NOT NULL THEN
        RETURN 'there is another row with the key that it had';
    ELSIF NOT threadline.write_row(tl_target, tl_before, tl_where) THEN
        RETURN 'a trigger of the table did not let it be written';
    END IF;
    RETURN NULL;
END
$$;
