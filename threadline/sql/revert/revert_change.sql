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
