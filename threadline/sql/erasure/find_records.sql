-- Searches the next changes of a table for records that belonged to the person of an erasure and
-- returns the number of changes it read; a number below `at_most` means the end of the table.
CREATE OR REPLACE FUNCTION threadline.find_records(run threadline.erasures, plan jsonb, at_most bigint) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_table integer := (plan -> 'table_id')::integer;
    tl_former jsonb := threadline.owner_names(plan);
    tl_names text[] := threadline.all_owner_names(tl_former);
    tl_type text := plan ->> 'key_type';
    tl_named text[] := threadline.keys_named(run.record_keys, tl_type);
    tl_seen record;
BEGIN
    WITH seen AS MATERIALIZED (
        SELECT c.transaction_id, c.id, c.record_key, c.previous_key, c.row_data, c.changed_from, c.changed_to
        FROM threadline.ledger_changes AS c
        WHERE c.table_id = tl_table AND (c.transaction_id, c.id) > (run.reached_transaction, run.reached_id)
        ORDER BY c.transaction_id, c.id
        LIMIT at_most
    ), found AS (
        INSERT INTO threadline.erased_records (erasure_id, table_id, record_key)
        SELECT DISTINCT run.id, tl_table, k
        FROM seen AS s
        CROSS JOIN unnest(ARRAY[s.record_key, s.previous_key]) AS k
        WHERE k IS NOT NULL AND (
            threadline.names_person(s.row_data, tl_names, tl_named, tl_type)
            OR threadline.names_person(s.changed_from, tl_names, tl_named, tl_type)
            OR threadline.names_person(s.changed_to, tl_names, tl_named, tl_type))
        ON CONFLICT DO NOTHING
    )
    SELECT count(*) AS count, (array_agg(s.transaction_id ORDER BY s.transaction_id DESC, s.id DESC))[1] AS transaction_id,
           (array_agg(s.id ORDER BY s.transaction_id DESC, s.id DESC))[1] AS id
    INTO tl_seen
    FROM seen AS s;
    IF tl_seen.count = at_most THEN
        UPDATE threadline.erasures AS e SET reached_transaction = tl_seen.transaction_id, reached_id = tl_seen.id WHERE e.id = run.id;
        RETURN tl_seen.count;
    END IF;

    INSERT INTO threadline.erased_records (erasure_id, table_id, record_key)
    SELECT run.id, tl_table, k.record_key
    FROM threadline.kept_images AS k
    WHERE k.table_id = tl_table AND threadline.names_person(k.image, tl_names, tl_named, tl_type)
    ON CONFLICT DO NOTHING;
    -- If a row existed before the audit, its changes need not show to whom it belongs.
    INSERT INTO threadline.erased_records (erasure_id, table_id, record_key)
    SELECT run.id, tl_table, l
    FROM threadline.live_records(tl_table, tl_former, tl_named, tl_type) AS l
    ON CONFLICT DO NOTHING;
    PERFORM threadline.refuse_unknown(plan);
    UPDATE threadline.erasures AS e
    SET looked_through = tl_table, reached_transaction = -1, reached_id = -1
    WHERE e.id = run.id;
    RETURN tl_seen.count;
END
$$;
REVOKE ALL ON FUNCTION threadline.find_records(threadline.erasures, jsonb, bigint) FROM PUBLIC;
