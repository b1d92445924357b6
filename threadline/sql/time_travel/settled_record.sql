-- The answer of record_as_of() for an instant that is settled and audited; in
-- one snapshot.
CREATE FUNCTION threadline.settled_record(
    audited_table integer, target regclass, record_key text, instant timestamptz,
    OUT state text, OUT image jsonb, OUT transaction_id bigint, OUT change_id bigint
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    tl_here threadline.audit_changes;
    tl_left threadline.audit_changes;
    tl_before threadline.audit_changes;
    tl_end threadline.audit_changes;
    tl_birth threadline.audit_changes;
    tl_cut bigint;
    tl_renames jsonb;
    tl_undo jsonb;
    tl_unseen boolean;
BEGIN
    -- The last change under the key, and the last that took a record away from
    -- it, that count as of then. A transaction never falls on both sides.
    SELECT * INTO tl_here
    FROM threadline.record_changes(audited_table, settled_record.record_key) AS c
    WHERE c.table_id = audited_table AND c.record_key = settled_record.record_key
      AND c.captured_at <= instant AND threadline.last_captured(c.transaction_id) <= instant
    ORDER BY c.id DESC
    LIMIT 1;
    SELECT * INTO tl_left
    FROM threadline.record_changes(audited_table, settled_record.record_key) AS c
    WHERE c.table_id = audited_table AND c.previous_key = settled_record.record_key
      AND c.captured_at <= instant AND threadline.last_captured(c.transaction_id) <= instant
    ORDER BY c.id DESC
    LIMIT 1;
    tl_cut := greatest(tl_here.id, tl_left.id, 0);
    -- In a statement that shifts keys, who leaves makes room for who comes.
    tl_before := CASE
        WHEN tl_left.id IS NULL OR tl_left.id < tl_here.id
            OR (tl_left.transaction_id, tl_left.statement) = (tl_here.transaction_id, tl_here.statement)
        THEN tl_here ELSE tl_left END;
    transaction_id := tl_before.transaction_id;
    change_id := tl_before.id;
    IF tl_before.op IN ('D', 'T') THEN
        state := 'deleted';
        RETURN;
    ELSIF tl_before.previous_key = settled_record.record_key THEN
        state := 'moved';
        RETURN;
    END IF;

    tl_unseen := threadline.truncated_unseen(audited_table, (
        SELECT coalesce(max(c.id), 0)
        FROM threadline.blind_truncates(audited_table) AS c
        WHERE c.captured_at <= instant AND threadline.last_captured(c.transaction_id) <= instant));

    -- What ended the record that had the key then, and what began another.
    SELECT * INTO tl_end
    FROM (
        (SELECT * FROM threadline.record_changes(audited_table, settled_record.record_key) AS c
         WHERE c.table_id = audited_table AND c.record_key = settled_record.record_key
           AND c.id > tl_cut AND c.op IN ('D', 'T')
         ORDER BY c.id LIMIT 1)
        UNION ALL
        (SELECT * FROM threadline.record_changes(audited_table, settled_record.record_key) AS c
         WHERE c.table_id = audited_table AND c.previous_key = settled_record.record_key
           AND c.id > tl_cut
         ORDER BY c.id LIMIT 1)
    ) AS either
    ORDER BY either.id
    LIMIT 1;
    SELECT * INTO tl_birth
    FROM threadline.record_changes(audited_table, settled_record.record_key) AS c
    WHERE c.table_id = audited_table AND c.record_key = settled_record.record_key
      AND c.id > tl_cut AND (c.op = 'I' OR c.previous_key IS NOT NULL)
    ORDER BY c.id
    LIMIT 1;
    IF tl_birth.id IS NOT NULL AND NOT coalesce(
        tl_end.id < tl_birth.id
        OR (tl_end.transaction_id, tl_end.statement) = (tl_birth.transaction_id, tl_birth.statement), false)
    THEN
        state := CASE WHEN tl_before.id IS NULL AND NOT tl_unseen THEN 'never' ELSE 'incomplete' END;
        RETURN;
    END IF;

    tl_renames := threadline.renames_of(audited_table);
    image := CASE
        WHEN tl_end.id IS NULL THEN threadline.live_image(audited_table, target, settled_record.record_key)
        ELSE threadline.renamed_image(tl_renames, tl_end.row_data, tl_end.captured_at) END;
    SELECT threadline.jsonb_merge(
               threadline.renamed_image(tl_renames, c.changed_from, c.captured_at) ORDER BY c.id DESC)
    INTO tl_undo
    FROM threadline.record_changes(audited_table, settled_record.record_key) AS c
    WHERE c.table_id = audited_table AND c.record_key = settled_record.record_key
      AND c.id > tl_cut AND c.id < least(tl_end.id, tl_birth.id, 9223372036854775807)
      AND c.op = 'U' AND c.previous_key IS NULL AND jsonb_typeof(c.changed_from) = 'object';
    IF image IS NULL THEN
        state := CASE WHEN tl_before.id IS NULL AND tl_undo = '{}' AND NOT tl_unseen THEN 'never' ELSE 'incomplete' END;
        RETURN;
    END IF;
    SELECT threadline.redacted(image || tl_undo, r.hidden, r.masks)
    INTO image
    FROM threadline.redaction(audited_table, target, instant) AS r;
    state := 'there';
END
$$;
