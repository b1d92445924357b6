-- Begins to make the recorded data of a person unreadable (GDPR, article 17) and returns the
-- number of the erasure; threadline.erase() does the work:
--
--   SELECT threadline.begin_erasure('users', '42', reason => 'request 2026-31');
--   SELECT threadline.erase(3);  -- until it returns 0
--
-- The policies define what belongs to the person: see `personal` and `subject` of
-- threadline.audit(). The fact, time and actor of each change stay on record.
-- columns: replaces the columns of the policies: ARRAY['users.email', 'addresses.street'].
-- actor_type, actor_id: also erases reason, comment, metadata and address of this actor's
-- actions and transactions.
-- actions: also erases reason, comment and metadata of these actions.
CREATE OR REPLACE FUNCTION threadline.begin_erasure(
    target     regclass,
    record_key text,
    reason     text,
    columns    text[]   DEFAULT NULL,
    actor_type text     DEFAULT NULL,
    actor_id   text     DEFAULT NULL,
    actions    bigint[] DEFAULT NULL
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off AS $$
#variable_conflict use_column
DECLARE
    tl_name text := (SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = target);
    tl_id integer := coalesce(threadline.audited_table_of(target), threadline.known_table_of(target));
    tl_plan jsonb := threadline.personal_tables(target);
    tl_key text := threadline.canonical_key(tl_id, begin_erasure.record_key);
    tl_keys text[] := ARRAY[tl_key];
    tl_hold threadline.legal_holds;
    tl_action threadline.audit_actions;
    tl_erasure bigint;
BEGIN
    IF coalesce(begin_erasure.reason, '') = '' THEN
        RAISE EXCEPTION 'threadline: an erasure needs a reason, such as ''request 2026-31''';
    ELSIF begin_erasure.record_key IS NULL OR target IS NULL THEN
        RAISE EXCEPTION 'threadline: an erasure needs a person: a table and the key of a record of it';
    ELSIF (begin_erasure.actor_type IS NULL) <> (begin_erasure.actor_id IS NULL) THEN
        RAISE EXCEPTION 'threadline: an actor has a type and an id';
    END IF;
    PERFORM threadline.lock_erasing();
    -- Unposted entries are searched with the rest.
    PERFORM threadline.post_all();
    IF tl_id IS NOT NULL THEN
        tl_keys := threadline.subject_keys(tl_id, tl_key);
    END IF;
    IF begin_erasure.columns IS NOT NULL THEN
        tl_plan := threadline.chosen_columns(target, tl_plan, begin_erasure.columns);
    END IF;
    tl_plan := (SELECT coalesce(jsonb_agg(p), '[]') FROM jsonb_array_elements(tl_plan) AS p WHERE p -> 'columns' <> '[]' OR p -> 'gone' <> '[]');
    IF tl_plan = '[]' AND begin_erasure.actor_type IS NULL AND begin_erasure.actions IS NULL THEN
        RAISE EXCEPTION 'threadline: no policy declares personal columns of records of %', target
            USING HINT = format('Declare it: #[audited(personal(email))] on the model, SELECT threadline.audit(''%s'', ..., personal => ARRAY[''email'']) in SQL; or name it this once: columns => ARRAY[''%s.email''], `audit erase --column %s.email`.', target, target, target);
    END IF;
    SELECT h.* INTO tl_hold
    FROM threadline.legal_holds AS h
    WHERE h.released_at IS NULL AND h.actor_type IS NULL AND h.correlation_id IS NULL
      AND h.table_id = tl_id AND (h.record_keys IS NULL OR h.record_keys && tl_keys)
    ORDER BY h.id LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'threadline: the recorded data of %:% is under hold % (%), and is not erased before the hold is released', tl_name, tl_key, tl_hold.id, tl_hold.reason;
    END IF;

    tl_action := threadline.own_action('audit.erased', jsonb_build_object(
        'table', tl_name, 'record_key', tl_key, 'tables', (
            SELECT jsonb_object_agg(format('%I.%I', t.schema_name, t.table_name), (
                SELECT jsonb_agg(DISTINCT c ORDER BY c)
                FROM (SELECT jsonb_array_elements_text(p -> 'columns') UNION ALL SELECT g ->> 'name' FROM jsonb_array_elements(p -> 'gone') AS g) AS of (c)))
            FROM jsonb_array_elements(tl_plan) AS p
            JOIN threadline.audited_tables AS t ON t.id = (p -> 'table_id')::integer),
        'actor_type', begin_erasure.actor_type, 'actor_id', begin_erasure.actor_id, 'actions', to_jsonb(begin_erasure.actions)),
        reason => begin_erasure.reason);
    INSERT INTO threadline.erasures (subject_table, record_key, record_keys, plan, chosen_columns, actor_type, actor_id, actions, reason, action_id, erased_by, reached_position)
    VALUES (tl_name, tl_key, tl_keys, tl_plan, begin_erasure.columns, begin_erasure.actor_type, begin_erasure.actor_id,
        begin_erasure.actions, begin_erasure.reason, tl_action.id, session_user,
        (SELECT coalesce(max(c.position), 0) FROM threadline.ledger_changes AS c))
    RETURNING id INTO tl_erasure;
    INSERT INTO threadline.erased_records (erasure_id, table_id, record_key)
    SELECT tl_erasure, tl_id, k FROM unnest(tl_keys) AS k
    WHERE EXISTS (SELECT FROM jsonb_array_elements(tl_plan) AS p WHERE (p -> 'itself')::boolean);
    RETURN tl_erasure;
END
$$;
REVOKE ALL ON FUNCTION threadline.begin_erasure(regclass, text, text, text[], text, text, bigint[]) FROM PUBLIC;
COMMENT ON FUNCTION threadline.begin_erasure(regclass, text, text, text[], text, text, bigint[]) IS
    'Begins to make the recorded data of a person unreadable; call threadline.erase() with the number that it returns';
