-- Keeps from threadline.purge(), until threadline.release(), what belongs to a record (under
-- every key that it has had or gets later), to a table, an actor, or a correlation id; if several are given,
-- what belongs to all of them. Returns the number of the hold.
--
--   SELECT threadline.hold('lawsuit 2026-17', target => 'users', record_key => '42');
CREATE OR REPLACE FUNCTION threadline.hold(
    reason         text,
    target         regclass DEFAULT NULL,
    record_key     text     DEFAULT NULL,
    actor_type     text     DEFAULT NULL,
    actor_id       text     DEFAULT NULL,
    correlation_id text     DEFAULT NULL
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off AS $$
#variable_conflict use_column
DECLARE
    tl_table integer := threadline.known_table_of(target);
    tl_keys text[];
    tl_id bigint;
BEGIN
    IF coalesce(hold.reason, '') = '' THEN
        RAISE EXCEPTION 'threadline: a hold needs a reason, such as ''lawsuit 2026-17''';
    ELSIF target IS NOT NULL AND tl_table IS NULL THEN
        RAISE EXCEPTION 'threadline: table % was never audited', target;
    ELSIF hold.record_key IS NOT NULL AND target IS NULL THEN
        RAISE EXCEPTION 'threadline: a hold on a record needs its table';
    ELSIF target IS NULL AND hold.actor_type IS NULL AND hold.correlation_id IS NULL THEN
        RAISE EXCEPTION 'threadline: a hold needs a table, a record of it, an actor or a correlation id';
    ELSIF (hold.actor_type IS NULL) <> (hold.actor_id IS NULL) AND hold.actor_type IS DISTINCT FROM 'anonymous' THEN
        RAISE EXCEPTION 'threadline: an actor has a type and an id';
    END IF;
    IF hold.record_key IS NOT NULL THEN
        tl_keys := threadline.keys_of_record(tl_table, threadline.canonical_key(tl_table, hold.record_key));
        -- Rather too much than too little.
        tl_keys := tl_keys || ARRAY(
            SELECT f.record_key FROM unnest(tl_keys) AS k CROSS JOIN LATERAL threadline.former_key_of(tl_table, k, surely => false) AS f
            WHERE f.record_key IS NOT NULL);
    END IF;
    INSERT INTO threadline.legal_holds (reason, table_id, record_keys, actor_type, actor_id, correlation_id, placed_by)
    VALUES (hold.reason, tl_table, tl_keys, hold.actor_type, hold.actor_id, hold.correlation_id, session_user)
    RETURNING id INTO tl_id;
    PERFORM threadline.own_action('audit.held', jsonb_build_object('hold', tl_id, 'table_id', tl_table,
        'record_keys', tl_keys, 'actor_type', hold.actor_type, 'actor_id', hold.actor_id, 'correlation_id', hold.correlation_id),
        reason => hold.reason);
    RETURN tl_id;
END
$$;
REVOKE ALL ON FUNCTION threadline.hold(text, regclass, text, text, text, text) FROM PUBLIC;
