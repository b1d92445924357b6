-- Returns the parts of a context of a transaction that began at an instant. Never fails: an
-- unreadable context is kept, and context_error gives the reason. A context names an actor only
-- if it was made in this transaction: it begins with the epoch at which the transaction began.
-- Pins no settings of its own, which would add cost to each context; the caller's apply.
CREATE OR REPLACE FUNCTION threadline.read_context(
    context text, occurred_at timestamptz,
    OUT actor_type text, OUT actor_id text, OUT actor_origin text, OUT request_id text, OUT correlation_id text,
    OUT job_id text, OUT source text, OUT remote_ip inet, OUT meta jsonb, OUT context_error text
)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    tl_said text := context;
    tl_context jsonb;
    tl_actor jsonb;
    tl_long record;
BEGIN
    actor_origin := 'none';
    IF coalesce(context, '') = '' THEN
        RETURN;
    ELSIF starts_with(context, extract(epoch FROM occurred_at) || ' ') THEN
        tl_said := substr(context, strpos(context, ' ') + 1);
    ELSE
        actor_origin := 'untrusted';
        context_error := 'the context was not set in this transaction; set it with threadline.set_context(), inside';
        meta := jsonb_build_object('untrusted_context', left(context, 1000));
        RETURN;
    END IF;
    BEGIN
        tl_context := tl_said;
        IF jsonb_typeof(tl_context) <> 'object' THEN
            context_error := 'the context is not a JSON object but a JSON ' || jsonb_typeof(tl_context);
            tl_context := NULL;
        END IF;
    EXCEPTION WHEN data_exception OR program_limit_exceeded OR statement_too_complex THEN
        context_error := 'the context is not JSON: ' || SQLERRM;
    END;
    IF tl_context IS NULL THEN
        actor_origin := 'unreadable';
        meta := jsonb_build_object('unreadable_context', left(tl_said, 1000));
        RETURN;
    END IF;

    tl_actor := nullif(tl_context -> 'actor', 'null');
    IF octet_length(tl_said) > 1000 THEN
        -- A value that does not fit into an index could not be posted.
        IF octet_length(tl_actor ->> 'type') > 1000 OR octet_length(tl_actor ->> 'id') > 1000 THEN
            context_error := 'the type or id of the actor is longer than 1,000 bytes';
            actor_origin := 'unreadable';
            tl_actor := NULL;
        END IF;
        FOR tl_long IN
            SELECT key, left(value #>> '{}', 200) AS beginning FROM jsonb_each(tl_context)
            WHERE key IN ('request_id', 'correlation_id', 'job_id', 'source') AND octet_length(value #>> '{}') > 1000
        LOOP
            context_error := concat_ws('; ', context_error, tl_long.key || ' was cut: it is longer than 1,000 bytes');
            tl_context := tl_context || jsonb_build_object(tl_long.key, tl_long.beginning);
        END LOOP;
    END IF;
    IF tl_context ->> 'remote_ip' IS NOT NULL THEN
        BEGIN
            remote_ip := tl_context ->> 'remote_ip';
        EXCEPTION WHEN data_exception THEN
            context_error := concat_ws('; ', context_error, 'remote_ip is not an address');
        END;
    END IF;
    IF tl_actor IS NOT NULL AND (
        threadline.is_blank(tl_actor ->> 'type')
        OR (tl_actor ->> 'type' <> 'anonymous' AND threadline.is_blank(tl_actor ->> 'id'))
    ) THEN
        context_error := concat_ws('; ', context_error, 'the actor has no type or no id');
        actor_origin := 'unreadable';
        tl_actor := NULL;
    END IF;
    IF tl_actor IS NOT NULL THEN
        actor_type := tl_actor ->> 'type';
        actor_id := tl_actor ->> 'id';
        actor_origin := coalesce(tl_context ->> 'origin', 'sql');
    END IF;
    request_id := tl_context ->> 'request_id';
    correlation_id := tl_context ->> 'correlation_id';
    job_id := tl_context ->> 'job_id';
    source := tl_context ->> 'source';
    meta := nullif(tl_context -> 'metadata', 'null');
END
$$;
