-- Undoes changes, newest first, as new audited changes: all of them, or none with the reasons. A
-- change that fails only because of the order, such as a row whose parent is not yet restored, is
-- tried again after the others, in the other order; but no change of a record is undone before
-- those that came after it.
CREATE OR REPLACE FUNCTION threadline.revert_changes(
    changes threadline.audit_changes[],
    OUT change_id bigint, OUT schema_name text, OUT table_name text, OUT key jsonb, OUT reason text
) RETURNS SETOF record
LANGUAGE plpgsql AS $$
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
                    -- The next one in the order has the reason.
                    tl_left := array_append(tl_left, tl_at);
                    tl_reasons := array_append(tl_reasons, NULL);
                    CONTINUE;
                END IF;
                BEGIN
                    tl_reason := threadline.revert_change(tl_changes[tl_at], tl_began);
                EXCEPTION
                    WHEN integrity_constraint_violation OR data_exception OR insufficient_privilege
                        OR undefined_column OR generated_always OR raise_exception OR with_check_option_violation THEN
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
        PERFORM threadline.rewrite_reverted_rows(changes, tl_began);
        PERFORM threadline.set_deferred(tl_targets, true);
    EXCEPTION WHEN SQLSTATE 'TL001' THEN
        RETURN QUERY
        SELECT c.id, t.schema_name, t.table_name,
               threadline.change_key(t.former_keys, t.key_columns, t.key_types, c.record_key, c.id), c.reason
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
