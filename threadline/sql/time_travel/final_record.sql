-- Returns the result of record_as_of() for an instant that is final and audited; runs in one
-- snapshot.
--
-- Built from what was recorded by then: the nearest whole image, with each update applied.
-- Columns that are not on record come from the present row, or its last state, going back.
CREATE OR REPLACE FUNCTION threadline.final_record(
    audited_table integer, target regclass, record_key text, instant timestamptz,
    OUT state text, OUT image jsonb, OUT transaction_id bigint, OUT change_id bigint, OUT unrecorded text[]
)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tl_table threadline.audited_tables;
    tl_key jsonb;
    tl_changes threadline.audit_changes[];
    tl_counts bigint;
    tl_does_not_count bigint;
    tl_change threadline.audit_changes;
    tl_here threadline.audit_changes;
    tl_left threadline.audit_changes;
    tl_before threadline.audit_changes;
    tl_gone text;
    tl_suspended record;
    tl_gap timestamptz;
    tl_former threadline.audit_changes;
    tl_end threadline.audit_changes;
    tl_birth threadline.audit_changes;
    tl_cut bigint;
    tl_from bigint;
    tl_since timestamptz;
    tl_blind bigint;
    tl_truncate record;
    tl_live jsonb;
    tl_is_whole boolean;
    tl_alterations jsonb;
    tl_renames jsonb;
    tl_forward jsonb;
    tl_backward jsonb;
    tl_undo jsonb;
    tl_unseen boolean;
    tl_is_partitioned boolean;
    tl_is_answer boolean;
    tl_redaction record;
BEGIN
    SELECT * INTO tl_table FROM threadline.audited_tables AS t WHERE t.id = audited_table;
    tl_key := threadline.key_json(tl_table.key_columns, tl_table.key_types, final_record.record_key);
    SELECT array_agg(ROW(c.*)::threadline.audit_changes ORDER BY c.id) INTO tl_changes
    FROM (
        SELECT * FROM threadline.record_changes(audited_table, final_record.record_key)
        UNION ALL
        SELECT * FROM threadline.kept_changes AS k
        WHERE k.table_id = audited_table AND k.record_key = final_record.record_key AND k.id > threadline.key_since(audited_table)
    ) AS c;
    -- The last change under the key, and the last that took a record away from it, as of then. A
    -- transaction counts either before or after the instant, never on both sides.
    FOR tl_at IN REVERSE coalesce(cardinality(tl_changes), 0)..1 LOOP
        tl_change := tl_changes[tl_at];
        CONTINUE WHEN tl_change.captured_at > instant OR tl_change.transaction_id = tl_does_not_count;
        IF tl_change.transaction_id IS DISTINCT FROM tl_counts THEN
            IF threadline.last_captured(tl_change.transaction_id) > instant THEN
                tl_does_not_count := tl_change.transaction_id;
                CONTINUE;
            END IF;
            tl_counts := tl_change.transaction_id;
        END IF;
        IF tl_here.id IS NULL AND tl_change.record_key = final_record.record_key THEN
            tl_here := tl_change;
        END IF;
        IF tl_left.id IS NULL AND tl_change.previous_key = final_record.record_key THEN
            tl_left := tl_change;
        END IF;
        EXIT WHEN tl_here.id IS NOT NULL;
    END LOOP;
    tl_since := greatest(tl_table.audited_since, tl_table.chained_since);
    SELECT * INTO tl_suspended FROM threadline.suspended_around(audited_table, instant);
    IF tl_suspended.ends_about_then THEN
        state := 'incomplete';
        RETURN;
    END IF;
    tl_gap := greatest(CASE WHEN tl_since <= instant THEN tl_since END, tl_suspended.ended_before);
    tl_since := greatest(tl_since, tl_gap);
    tl_cut := greatest(tl_here.id, tl_left.id, 0);
    -- In a statement that shifts keys, the departing key is freed before the arriving one uses
    -- it.
    tl_before := CASE
        WHEN tl_left.id IS NULL OR tl_left.id < tl_here.id
            OR (tl_left.transaction_id, tl_left.statement) = (tl_here.transaction_id, tl_here.statement)
        THEN tl_here ELSE tl_left END;
    transaction_id := tl_before.transaction_id;
    change_id := tl_before.id;
    tl_gone := CASE
        WHEN tl_before.op IN ('D', 'T') THEN 'deleted'
        WHEN tl_before.previous_key = final_record.record_key THEN 'moved' END;
    -- Else a record may have begun under the key while changes were not recorded.
    IF tl_gone IS NOT NULL AND (tl_before.captured_at >= tl_gap) IS NOT FALSE THEN
        state := tl_gone;
        RETURN;
    END IF;

    SELECT c.* INTO tl_truncate
    FROM threadline.blind_truncates(audited_table) AS c
    WHERE c.captured_at <= instant AND threadline.last_captured(c.transaction_id) <= instant
    ORDER BY c.id DESC
    LIMIT 1;
    tl_blind := coalesce(tl_truncate.id, 0);
    IF tl_before.id < tl_blind AND tl_gone IS NULL AND (tl_truncate.captured_at >= tl_gap) IS NOT FALSE THEN
        -- It removed the record, which did not begin again by then.
        tl_gone := 'deleted';
        transaction_id := tl_truncate.transaction_id;
        change_id := tl_truncate.id;
    END IF;
    tl_unseen := threadline.truncated_unseen(audited_table, tl_blind)
        -- Under this key something was recorded when the primary key was another.
        OR tl_table.former_keys IS NOT NULL AND EXISTS (
            SELECT FROM threadline.ledger_changes AS c
            WHERE c.table_id = audited_table AND c.record_key = final_record.record_key AND c.id <= threadline.key_since(audited_table))
        OR EXISTS (SELECT FROM threadline.known_partitions AS k WHERE k.table_id = audited_table AND k.had_rows)
           AND threadline.left_unseen(audited_table, instant) IS NOT NULL
           AND threadline.left_with_partition(audited_table, target, tl_key, instant);
    tl_renames := threadline.renames_of(audited_table);
    tl_alterations := threadline.alterations_of(audited_table);

    -- The changes by which the record that had the key then began, and the one before it ended.
    FOR tl_at IN REVERSE coalesce(cardinality(tl_changes), 0)..1 LOOP
        tl_change := tl_changes[tl_at];
        CONTINUE WHEN tl_change.id > tl_before.id IS NOT FALSE;
        EXIT WHEN tl_change.captured_at < tl_since OR tl_change.id <= tl_blind
            OR tl_former.id IS NOT NULL AND (tl_former.transaction_id, tl_former.statement) IS DISTINCT FROM (tl_change.transaction_id, tl_change.statement);
        IF tl_change.record_key = final_record.record_key AND (tl_change.op = 'I' OR tl_change.previous_key IS NOT NULL) THEN
            tl_from := tl_change.id;
            tl_is_whole := jsonb_typeof(tl_change.row_data) = 'object';
            EXIT;
        ELSIF tl_change.previous_key = final_record.record_key THEN
            -- It freed the key for the record that took it in the same statement.
            EXIT WHEN tl_change.statement IS NULL;
            tl_former := tl_change;
            CONTINUE;
        END IF;
        EXIT WHEN tl_change.op IN ('D', 'T');
        tl_from := tl_change.id;
    END LOOP;
    SELECT threadline.laid(tl_alterations, threadline.lay(
               tl_alterations,
               threadline.renamed_image(tl_renames,
                   threadline.image_left(c.op, c.previous_key, c.row_data, c.changed_to), c.captured_at),
               c.captured_at ORDER BY c.id), instant)
    INTO tl_forward
    FROM unnest(tl_changes) AS c
    WHERE c.record_key = final_record.record_key AND c.id BETWEEN tl_from AND tl_cut;

    -- The changes recorded by then give the whole row.
    tl_is_partitioned := EXISTS (SELECT FROM pg_class AS c WHERE c.oid = target AND c.relkind = 'p');
    tl_is_answer := tl_is_whole AND NOT tl_is_partitioned AND NOT tl_table.policy ? 'ignore'
        AND tl_forward ?& ARRAY(SELECT p.name FROM threadline.column_policy(audited_table, target) AS p WHERE p.column_policy <> 'exclude')
        -- Nor lacks a column that was dropped since.
        AND threadline.unrecorded(tl_alterations, tl_forward, instant) = '{}';

    -- The present row shows what was written later without a record.
    IF tl_suspended.ends_later AND tl_is_answer IS NOT TRUE THEN
        state := 'incomplete';
        RETURN;
    END IF;

    -- The changes by which the record that had the key then ended, and another began.
    SELECT * INTO tl_end
    FROM unnest(tl_changes) AS c
    WHERE c.id > tl_cut
      AND (c.record_key = final_record.record_key AND c.op IN ('D', 'T') OR c.previous_key = final_record.record_key)
    ORDER BY c.id
    LIMIT 1;
    SELECT * INTO tl_birth
    FROM unnest(tl_changes) AS c
    WHERE c.id > tl_cut AND c.record_key = final_record.record_key AND (c.op = 'I' OR c.previous_key IS NOT NULL)
    ORDER BY c.id
    LIMIT 1;
    IF tl_birth.id IS NULL OR tl_end.id < tl_birth.id
        OR (tl_end.transaction_id, tl_end.statement) = (tl_birth.transaction_id, tl_birth.statement)
    THEN
        SELECT threadline.lay(
                   tl_alterations, threadline.renamed_image(tl_renames, c.changed_from, c.captured_at), c.captured_at ORDER BY c.id DESC)
        INTO tl_undo
        FROM unnest(tl_changes) AS c
        WHERE c.record_key = final_record.record_key
          AND c.id > tl_cut AND c.id < least(tl_end.id, tl_birth.id, 9223372036854775807)
          AND c.op = 'U' AND c.previous_key IS NULL;
        IF tl_is_answer IS NOT TRUE AND tl_end.id IS NULL THEN
            tl_live := threadline.live_image(audited_table, target, final_record.record_key);
            IF tl_live IS NULL AND row_security_active(target) AND (tl_gone IS NULL OR tl_before.captured_at < tl_gap) THEN
                RAISE EXCEPTION 'threadline: whether % has the row of % is unknown: row security hides rows from %', target, final_record.record_key, quote_ident(current_user)
                    USING ERRCODE = 'insufficient_privilege', HINT = 'Query with a role that sees all rows.';
            END IF;
        END IF;
        tl_backward := CASE
            WHEN tl_is_answer THEN '{}'
            WHEN tl_end.id IS NULL THEN threadline.still_true(tl_alterations, tl_live, 'infinity', instant)
            ELSE threadline.still_true(
                tl_alterations, threadline.renamed_image(tl_renames, tl_end.row_data, tl_end.captured_at), tl_end.captured_at, instant)
            END || coalesce(threadline.laid(tl_alterations, tl_undo, instant), '{}');
    ELSIF tl_is_whole IS NOT TRUE THEN
        state := CASE WHEN tl_before.id IS NULL AND NOT tl_unseen THEN 'never' ELSE coalesce(tl_gone, 'incomplete') END;
        RETURN;
    END IF;
    -- The rows of a detached partition exist until it left.
    IF tl_backward IS NULL AND (tl_is_whole IS NOT TRUE
        OR tl_is_partitioned
           AND NOT threadline.left_with_partition(audited_table, target, tl_forward, instant))
    THEN
        state := CASE WHEN tl_before.id IS NULL AND tl_undo IS NULL AND NOT tl_unseen THEN 'never' ELSE coalesce(tl_gone, 'incomplete') END;
        RETURN;
    END IF;

    -- Changes of only ignored columns are not recorded: the present value is nearer.
    image := coalesce(tl_forward || tl_backward || (tl_forward - ARRAY(
        SELECT jsonb_array_elements_text(tl_table.policy -> 'ignore'))), tl_backward, tl_forward);
    image := threadline.image_then(tl_alterations, image, instant,
        CASE WHEN threadline.key_is_altered(audited_table, tl_alterations) THEN tl_key END);
    SELECT * INTO tl_redaction FROM threadline.redaction(audited_table, target, instant);
    unrecorded := ARRAY(
        SELECT name FROM unnest(threadline.unrecorded(tl_alterations, image, instant)) AS name WHERE name <> ALL (tl_redaction.columns));
    image := threadline.redacted(image, tl_redaction.hidden, tl_redaction.masks);
    state := 'there';
END
$$;
