-- Returns the changes of a record with the sides of them that belong to a person: the image
-- before and the image after. `plan` is one of threadline.personal_tables(). `owners` gives the
-- persons that the record named after the change `after_id`, and is returned after each change.
CREATE OR REPLACE FUNCTION threadline.changes_of_person(
    plan jsonb, keys text[], key text, INOUT owners jsonb, after_id bigint, at_most bigint, with_pending boolean,
    OUT change threadline.audit_changes, OUT before boolean, OUT after boolean
) RETURNS SETOF record
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tl_table integer := (plan -> 'table_id')::integer;
    tl_type text := plan ->> 'key_type';
    tl_named text[] := threadline.keys_named(keys, tl_type);
    tl_former jsonb := threadline.owner_names(plan);
    tl_before jsonb;
    tl_after jsonb;
    tl_since bigint := threadline.key_since((plan -> 'table_id')::integer);
BEGIN
    IF (plan -> 'itself')::boolean AND changes_of_person.key = ANY (keys) THEN
        before := true;
        after := true;
    ELSIF changes_of_person.owners IS NULL THEN
        changes_of_person.owners := threadline.owners_before(tl_table, changes_of_person.key, tl_former, tl_type);
    END IF;
    FOR change IN
        SELECT c.id, c.transaction_id, c.captured_at, c.table_id, c.statement, c.op, c.record_key, c.previous_key, c.changed_from, c.changed_to, c.row_data
        FROM threadline.ledger_changes AS c
        WHERE c.table_id = tl_table AND c.record_key = changes_of_person.key AND c.id > after_id
        UNION ALL
        SELECT c.id, c.transaction_id, c.captured_at, c.table_id, c.statement, c.op, c.record_key, c.previous_key, c.changed_from, c.changed_to, c.row_data
        FROM threadline.ledger_changes AS c
        WHERE c.table_id = tl_table AND c.previous_key = changes_of_person.key AND c.previous_key IS NOT NULL
          AND c.record_key <> changes_of_person.key AND c.id > after_id
        UNION ALL
        SELECT p.id, p.transaction_id, p.captured_at, p.table_id, p.statement, p.op, p.record_key COLLATE "C", p.previous_key COLLATE "C", p.changed_from, p.changed_to, p.row_data
        FROM threadline.pending_changes(only_table => tl_table, only_key => changes_of_person.key) AS p
        WHERE with_pending AND p.id > after_id
        ORDER BY id
        LIMIT at_most
    LOOP
        IF changes_of_person.owners IS NOT NULL THEN
            IF tl_since > 0 AND change.id > tl_since AND after_id < tl_since THEN
                -- The key is that of another record now.
                changes_of_person.owners := threadline.owners_before(tl_table, changes_of_person.key, tl_former, tl_type, tl_since);
            END IF;
            tl_before := CASE WHEN change.op = 'I' THEN '{}'
                WHEN change.row_data IS NOT NULL THEN threadline.named_in(change.row_data, tl_former, change.captured_at, tl_type)
                ELSE changes_of_person.owners || threadline.named_in(change.changed_from, tl_former, change.captured_at, tl_type) END;
            tl_after := CASE WHEN change.op = 'I' THEN threadline.named_in(change.row_data, tl_former, change.captured_at, tl_type)
                WHEN change.op = 'U' THEN tl_before || threadline.named_in(change.changed_to, tl_former, change.captured_at, tl_type)
                ELSE '{}' END;
            -- A record that left this key says nothing about the one that took it.
            IF change.record_key = changes_of_person.key THEN
                changes_of_person.owners := tl_after;
            END IF;
            before := threadline.names_one_of(tl_before, tl_named);
            after := threadline.names_one_of(tl_after, tl_named);
        END IF;
        RETURN NEXT;
        after_id := change.id;
    END LOOP;
END
$$;
