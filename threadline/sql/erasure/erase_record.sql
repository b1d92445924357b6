-- Erases the person's values in the next changes of one record, for an erasure, and returns the
-- number of changes it read.
CREATE OR REPLACE FUNCTION threadline.erase_record(run threadline.erasures, record threadline.erased_records, at_most bigint) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off AS $$
DECLARE
    tl_plan jsonb := (SELECT p FROM jsonb_array_elements(run.plan) AS p WHERE (p -> 'table_id')::integer = record.table_id);
    tl_mark jsonb := to_jsonb('erased:' || run.id);
    tl_names jsonb := threadline.erased_names(tl_plan);
    tl_known jsonb := threadline.known_names(record.table_id);
    tl_unreached text[] := '{}';
    tl_whole boolean := (tl_plan -> 'itself')::boolean AND record.record_key = ANY (run.record_keys);
    tl_owners jsonb := record.owners;
    tl_reached bigint := record.reached_id;
    tl_found record;
    tl_then text[];
    tl_from jsonb;
    tl_to jsonb;
    tl_row jsonb;
    tl_seen bigint := 0;
    tl_count bigint := 0;
    tl_known_then text[];
BEGIN
    -- A purge may have removed it first.
    IF record.reached_id < 0 OR EXISTS (
        SELECT FROM threadline.kept_images AS k
        WHERE k.table_id = record.table_id AND k.record_key = record.record_key AND k.id > record.reached_id)
    THEN
        IF NOT tl_whole THEN
            tl_owners := threadline.owners_before(record.table_id, record.record_key, threadline.owner_names(tl_plan), tl_plan ->> 'key_type');
        END IF;
        WITH erased AS (
            UPDATE threadline.kept_images AS k
            SET image = threadline.erased_image(k.image, threadline.hidden_names(tl_names, k.captured_at), tl_mark)
            WHERE k.table_id = record.table_id AND k.record_key = record.record_key
              AND (tl_whole OR threadline.names_one_of(tl_owners, threadline.keys_named(run.record_keys, tl_plan ->> 'key_type')))
            RETURNING threadline.values_but_of(k.image, threadline.hidden_names(tl_known, k.captured_at)) AS names
        )
        SELECT coalesce(array_agg(n), '{}') INTO tl_unreached FROM erased AS e CROSS JOIN unnest(e.names) AS n;
    END IF;
    FOR tl_found IN
        SELECT (p.change).*, p.owners, p.before, p.after
        FROM threadline.changes_of_person(tl_plan, run.record_keys, record.record_key, tl_owners, record.reached_id, at_most, false) AS p
    LOOP
        tl_seen := tl_seen + 1;
        tl_reached := tl_found.id;
        tl_owners := tl_found.owners;
        tl_then := threadline.hidden_names(tl_names, tl_found.captured_at);
        tl_from := CASE WHEN tl_found.before THEN threadline.erased_image(tl_found.changed_from, tl_then, tl_mark) ELSE tl_found.changed_from END;
        tl_to := CASE WHEN tl_found.after THEN threadline.erased_image(tl_found.changed_to, tl_then, tl_mark) ELSE tl_found.changed_to END;
        tl_row := CASE WHEN CASE tl_found.op WHEN 'I' THEN tl_found.after ELSE tl_found.before END
            THEN threadline.erased_image(tl_found.row_data, tl_then, tl_mark) ELSE tl_found.row_data END;
        -- A column that got two other names before the audit was told of the first.
        tl_known_then := threadline.hidden_names(tl_known, tl_found.captured_at);
        tl_unreached := tl_unreached
            || CASE WHEN tl_found.before THEN threadline.values_but_of(tl_from, tl_known_then) END
            || CASE WHEN tl_found.after THEN threadline.values_but_of(tl_to, tl_known_then) END
            || CASE WHEN CASE tl_found.op WHEN 'I' THEN tl_found.after ELSE tl_found.before END THEN threadline.values_but_of(tl_row, tl_known_then) END;
        IF (tl_from, tl_to, tl_row) IS DISTINCT FROM (tl_found.changed_from, tl_found.changed_to, tl_found.row_data) THEN
            UPDATE threadline.ledger_changes AS c
            SET changed_from = tl_from, changed_to = tl_to, row_data = tl_row
            WHERE c.transaction_id = tl_found.transaction_id AND c.id = tl_found.id;
            tl_count := tl_count + 1;
        END IF;
    END LOOP;
    UPDATE threadline.erased_records AS r
    SET owners = tl_owners, reached_id = tl_reached, done = tl_seen < at_most
    WHERE r.erasure_id = record.erasure_id AND r.table_id = record.table_id AND r.record_key = record.record_key;
    UPDATE threadline.erasures AS e
    SET changes = e.changes + tl_count,
        unreached = ARRAY(
            SELECT unnest(e.unreached)
            UNION
            SELECT format('%I.%I.%I', t.schema_name, t.table_name, u)
            FROM unnest(tl_unreached) AS u
            JOIN threadline.audited_tables AS t ON t.id = record.table_id
            ORDER BY 1)
    WHERE e.id = run.id;
    RETURN tl_seen;
END
$$;
REVOKE ALL ON FUNCTION threadline.erase_record(threadline.erasures, threadline.erased_records, bigint) FROM PUBLIC;
