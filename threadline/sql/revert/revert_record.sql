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
