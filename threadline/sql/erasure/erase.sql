-- Continues an erasure that threadline.begin_erasure() began and returns the number of changes it
-- read; 0 when it is done. Call it until it returns 0:
--
--   SELECT threadline.erase(3);
--
-- Each call is one transaction of about 10,000 changes and blocks no writer. An interrupted
-- erasure continues from its last batch. If anything is under a hold, the whole erasure is
-- refused.
CREATE OR REPLACE FUNCTION threadline.erase(erasure bigint, at_most integer DEFAULT 10000) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, threadline, pg_temp
SET jit = off AS $$
#variable_conflict use_column
DECLARE
    tl_limit bigint := greatest(at_most, 1);
    tl_run threadline.erasures;
    tl_plan jsonb;
    tl_record threadline.erased_records;
    tl_seen bigint := 0;
    tl_keys text[];
    tl_id integer;
    tl_left record;
    tl_ownerless bigint;
BEGIN
    PERFORM threadline.lock_erasing();
    SELECT e.* INTO tl_run FROM threadline.erasures AS e WHERE e.id = erasure;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'threadline: there is no erasure %; SELECT * FROM threadline.erasures shows them', erasure;
    ELSIF tl_run.ended_at IS NOT NULL THEN
        RETURN 0;
    END IF;

    IF tl_run.found_at IS NULL THEN
        SELECT p INTO tl_plan
        FROM jsonb_array_elements(tl_run.plan) AS p
        WHERE (p -> 'by' <> '[]' OR p -> 'by_gone' <> '[]') AND (p -> 'table_id')::integer > tl_run.looked_through
        ORDER BY (p -> 'table_id')::integer
        LIMIT 1;
        IF FOUND THEN
            RETURN greatest(threadline.find_records(tl_run, tl_plan, tl_limit), 1);
        END IF;
        UPDATE threadline.erasures AS e SET found_at = clock_timestamp() WHERE e.id = erasure;
    END IF;

    PERFORM threadline.refuse_held(tl_run);
    FOR tl_record IN SELECT r.* FROM threadline.erased_records AS r WHERE r.erasure_id = erasure AND NOT r.done ORDER BY r.table_id, r.record_key LOOP
        tl_seen := tl_seen + greatest(threadline.erase_record(tl_run, tl_record, tl_limit - tl_seen), 1);
        EXIT WHEN tl_seen >= tl_limit;
    END LOOP;
    IF tl_seen > 0 THEN
        RETURN tl_seen;
    END IF;

    -- Changes recorded meanwhile.
    PERFORM threadline.post_all();
    tl_seen := threadline.find_new_changes(tl_run, tl_limit);
    IF tl_seen = tl_limit OR EXISTS (SELECT FROM threadline.erased_records AS r WHERE r.erasure_id = erasure AND NOT r.done) THEN
        RETURN greatest(tl_seen, 1);
    END IF;
    FOR tl_plan IN SELECT p FROM jsonb_array_elements(tl_run.plan) AS p WHERE p -> 'by' <> '[]' OR p -> 'by_gone' <> '[]' LOOP
        PERFORM threadline.refuse_unknown(tl_plan);
    END LOOP;
    SELECT p INTO tl_plan FROM jsonb_array_elements(tl_run.plan) AS p WHERE (p -> 'itself')::boolean;
    IF FOUND THEN
        tl_id := (tl_plan -> 'table_id')::integer;
        tl_keys := threadline.subject_keys(tl_id, tl_run.record_key);
        IF NOT tl_keys <@ tl_run.record_keys THEN
            INSERT INTO threadline.erased_records (erasure_id, table_id, record_key)
            SELECT erasure, tl_id, k FROM unnest(tl_keys) AS k
            ON CONFLICT DO NOTHING;
            UPDATE threadline.erasures AS e SET record_keys = tl_keys, looked_through = -1, found_at = NULL WHERE e.id = erasure;
            UPDATE threadline.erased_records AS r SET done = false, owners = NULL, reached_id = -1 WHERE r.erasure_id = erasure;
            RETURN 1;
        END IF;
    END IF;
    tl_seen := threadline.erase_texts(tl_run, tl_limit);
    IF tl_seen > 0 THEN
        RETURN tl_seen;
    END IF;
    PERFORM threadline.erase_unposted(tl_run);
    UPDATE threadline.erasures AS e SET ended_at = clock_timestamp() WHERE e.id = erasure;
    tl_run.unreached := (SELECT e.unreached FROM threadline.erasures AS e WHERE e.id = erasure);
    IF tl_run.unreached <> '{}' THEN
        RAISE NOTICE 'threadline: values under the names % belong to no column that the audit knows, and are not erased', array_to_string(tl_run.unreached, ', ')
            USING HINT = 'If they are personal, erase them with threadline.begin_erasure(..., columns => ...).';
    END IF;
    FOR tl_plan IN SELECT p FROM jsonb_array_elements(tl_run.plan) AS p LOOP
        tl_ownerless := (SELECT count(*) FROM threadline.ownerless_changes(tl_plan));
        IF tl_ownerless > 0 THEN
            RAISE NOTICE 'threadline: % changes that may be of the person are not erased: a legal hold kept them, and the changes that named their owner were purged', tl_ownerless
                USING HINT = 'A purge removes them after the hold is released. SELECT * FROM threadline.erasure_drift() shows the table.';
        END IF;
    END LOOP;
    FOR tl_left IN SELECT l.* FROM threadline.texts_left(erasure) AS l LOOP
        RAISE NOTICE 'threadline: the audit keeps texts and addresses of % actions and % transactions of %:%',
            tl_left.actions, tl_left.transactions, tl_left.actor_type, tl_left.actor_id
            USING HINT = format('If this actor is the same person, erase them with threadline.begin_erasure(..., actor_type => %L, actor_id => %L).', tl_left.actor_type, tl_left.actor_id);
    END LOOP;
    RETURN 0;
END
$$;
REVOKE ALL ON FUNCTION threadline.erase(bigint, integer) FROM PUBLIC;
COMMENT ON FUNCTION threadline.erase(bigint, integer) IS
    'Continues an erasure, one batch a call; returns the number of changes it read, 0 when it is done';
