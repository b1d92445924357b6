-- Opens the AuditTransaction of the running database transaction under the
-- given context and remembers it for the changes that follow. Both settings
-- are transaction-local: a rolled-back savepoint takes them back together with
-- the row. A context that cannot be read never fails the application's write.
-- The row's place goes with its id: found by place, it costs no index lookup,
-- and takes no predicate lock that would make unrelated SERIALIZABLE
-- transactions conflict. Every database transaction that writes pays for this, so
-- nothing is evaluated that need not be; whoever calls it has pinned search_path.
CREATE FUNCTION threadline.open_transaction(context text) RETURNS bigint
LANGUAGE plpgsql
AS $$
DECLARE
    tl_context jsonb;
    tl_actor jsonb;
    tl_error text;
    tl_ip inet;
    tl_long record;
    tl_id bigint;
    tl_place tid;
    tl_remembered text;
BEGIN
    IF context <> '' THEN
        BEGIN
            tl_context := context::jsonb;
            IF jsonb_typeof(tl_context) = 'object' THEN
                tl_actor := nullif(tl_context -> 'actor', 'null');
                IF octet_length(context) > 1000 THEN
                    -- What does not fit into an index would fail the write.
                    IF octet_length(tl_actor ->> 'type') > 1000 OR octet_length(tl_actor ->> 'id') > 1000 THEN
                        tl_error := 'the type or id of the actor is longer than 1,000 bytes';
                        tl_actor := NULL;
                    END IF;
                    FOR tl_long IN
                        SELECT key, left(value #>> '{}', 200) AS beginning FROM jsonb_each(tl_context)
                        WHERE key IN ('request_id', 'correlation_id', 'job_id', 'source') AND octet_length(value #>> '{}') > 1000
                    LOOP
                        tl_error := concat_ws('; ', tl_error, tl_long.key || ' was cut: it is longer than 1,000 bytes');
                        tl_context := tl_context || jsonb_build_object(tl_long.key, tl_long.beginning);
                    END LOOP;
                END IF;
                -- Last, because it may fail, and nothing after it is done then.
                tl_ip := tl_context ->> 'remote_ip';
            ELSE
                tl_error := 'the context is not a JSON object but a JSON ' || jsonb_typeof(tl_context);
                tl_context := NULL;
            END IF;
        EXCEPTION WHEN OTHERS THEN
            tl_error := CASE WHEN tl_context IS NULL THEN 'the context is not JSON: ' || SQLERRM
                             ELSE concat_ws('; ', tl_error, 'remote_ip is not an address') END;
        END;
        IF tl_actor IS NOT NULL AND (
            coalesce(tl_actor ->> 'type', '') = ''
            OR (tl_actor ->> 'type' <> 'anonymous' AND coalesce(tl_actor ->> 'id', '') = '')
        ) THEN
            tl_error := 'the actor has no type or no id';
            tl_actor := NULL;
        END IF;
        INSERT INTO threadline.audit_transactions (
            xact_id, occurred_at, actor_type, actor_id, actor_origin, request_id,
            correlation_id, job_id, source, remote_ip, meta, session_user_name, context_error
        ) VALUES (
            pg_current_xact_id(), now(), tl_actor ->> 'type', tl_actor ->> 'id',
            CASE WHEN tl_error IS NOT NULL AND tl_actor IS NULL THEN 'unreadable'
                 WHEN tl_actor IS NULL THEN 'none'
                 ELSE coalesce(tl_context ->> 'origin', 'sql') END,
            tl_context ->> 'request_id', tl_context ->> 'correlation_id', tl_context ->> 'job_id',
            tl_context ->> 'source', tl_ip,
            CASE WHEN tl_context IS NULL
                 THEN jsonb_build_object('unreadable_context', left(context, 1000))
                 ELSE nullif(tl_context -> 'metadata', 'null') END,
            session_user, tl_error
        ) RETURNING id, ctid INTO tl_id, tl_place;
    ELSE
        INSERT INTO threadline.audit_transactions (xact_id, occurred_at, actor_origin, session_user_name)
        VALUES (pg_current_xact_id(), now(), 'none', session_user)
        RETURNING id, ctid INTO tl_id, tl_place;
    END IF;

    -- Assigned, because a query would cost more.
    tl_remembered := set_config('threadline.transaction', tl_id || ' ' || tl_place, true)
        || set_config('threadline.transaction_context', coalesce(context, ''), true);
    RETURN tl_id;
END
$$;
