-- Reverts a record to its state at an instant. Returns NULL, or the reason why not.
CREATE OR REPLACE FUNCTION threadline.revert_to_instant(target regclass, record_key text, instant timestamptz) RETURNS text
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    tl_id integer := threadline.audited_table_of(target);
    tl_where text := threadline.key_condition(tl_id, revert_to_instant.record_key, 'tl_row');
    tl_then record;
    tl_live jsonb;
    tl_other text;
    tl_image jsonb;
    tl_lasting record;
    tl_columns text[];
    tl_ignored text[];
    tl_alterations jsonb := threadline.alterations_of(tl_id);
BEGIN
    IF tl_where IS NOT NULL THEN
        EXECUTE format('SELECT FROM %s AS tl_row WHERE %s FOR UPDATE', threadline.own_rows(target), tl_where);
    END IF;
    SELECT * INTO tl_then FROM threadline.record_as_of(target, revert_to_instant.record_key, instant);
    tl_live := threadline.live_image(tl_id, target, revert_to_instant.record_key);
    IF tl_then.state = 'not_final' THEN
        RETURN 'what was then is not final yet: a transaction that wrote audited rows by then is still open';
    ELSIF tl_then.state = 'unaudited' THEN
        RETURN 'the table was not audited then';
    ELSIF tl_then.state = 'purged' THEN
        RETURN 'changes of that time are no longer kept';
    ELSIF tl_then.state = 'incomplete' THEN
        RETURN 'only what changed is on record, not the whole row';
    END IF;

    -- A record is neither duplicated nor lost because it has another key now.
    tl_other := threadline.key_then(tl_id, revert_to_instant.record_key, instant);
    IF tl_live IS NOT NULL AND tl_other <> revert_to_instant.record_key THEN
        RETURN 'the record that has this key now had another one then: ' || tl_other;
    ELSIF tl_then.state <> 'there' THEN
        RETURN CASE WHEN tl_live IS NOT NULL THEN threadline.delete_row(target, tl_where) END;
    END IF;
    tl_other := threadline.key_now(tl_id, revert_to_instant.record_key, coalesce(tl_then.change_id, 0));
    IF tl_other <> revert_to_instant.record_key THEN
        RETURN 'the record that had this key then has another one now: ' || tl_other;
    END IF;

    -- For the same row, only changed columns matter.
    tl_columns := threadline.unrestorable(tl_id, target, tl_then.image, instant, true);
    IF tl_live IS NOT NULL AND tl_other IS NOT NULL THEN
        tl_ignored := threadline.ignored_columns(tl_id);
        tl_then.image := tl_then.image - tl_ignored;
        SELECT array_agg(unrestorable.name ORDER BY unrestorable.name) INTO tl_columns
        FROM unnest(tl_columns) AS unrestorable (name)
        WHERE unrestorable.name <> ALL (tl_ignored) AND (EXISTS (
            -- Changes of a new column are not on record before its values are.
            SELECT
            FROM jsonb_to_recordset(tl_alterations) AS a (name text, what text, "at" timestamptz)
            WHERE a.name = unrestorable.name AND a.what = 'recorded' AND a.at > instant
        ) OR EXISTS (
            SELECT
            FROM threadline.record_changes(tl_id, revert_to_instant.record_key) AS c
            WHERE c.table_id = tl_id AND c.record_key = revert_to_instant.record_key AND c.id > coalesce(tl_then.change_id, 0)
              -- Changes under another key count too.
              AND (c.previous_key IS NOT NULL OR threadline.current_names(tl_id, c.changed_to, c.captured_at) ? unrestorable.name)));
    END IF;
    IF tl_columns <> '{}' THEN
        RETURN CASE WHEN tl_live IS NOT NULL THEN 'changed since, and ' ELSE '' END
            || 'the audit does not have the values of ' || array_to_string(tl_columns, ', ');
    END IF;

    tl_then.image := threadline.relabelled_image(tl_alterations, tl_then.image, instant);
    IF tl_live IS NOT NULL THEN
        SELECT * INTO tl_lasting FROM threadline.lasting_image(tl_id, target, revert_to_instant.record_key, instant, tl_then.image, tl_live);
        IF tl_lasting.altered <> '{}' THEN
            RETURN 'an ALTER TABLE changed the values of ' || array_to_string(tl_lasting.altered, ', ')
                || ' since, and what was there before it is of another type or unit';
        END IF;
        tl_then.image := tl_lasting.image;
    END IF;

    -- Only columns that differ are written, digit for digit.
    SELECT coalesce(jsonb_object_agg(field.key, field.value), '{}') INTO tl_image
    FROM jsonb_each(tl_then.image) AS field
    WHERE tl_live IS NULL OR (tl_live ? field.key AND NOT threadline.is_erased(field.value) AND (tl_live -> field.key)::text <> field.value::text);
    IF tl_image <> '{}' AND NOT threadline.write_row(target, tl_image, CASE WHEN tl_live IS NOT NULL THEN tl_where END) THEN
        RETURN 'a trigger of the table did not let it be written';
    END IF;
    RETURN NULL;
END
$$;
