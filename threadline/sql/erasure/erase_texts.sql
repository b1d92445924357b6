-- Erases the free text of the actor of an erasure and of its actions, and returns the number of
-- actions and transactions.
CREATE OR REPLACE FUNCTION threadline.erase_texts(run threadline.erasures, at_most bigint) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_mark text := 'erased:' || run.id;
    tl_actions bigint;
    tl_transactions bigint := 0;
BEGIN
    WITH due AS (
        SELECT a.id FROM threadline.audit_actions AS a
        WHERE (a.actor_type = run.actor_type AND a.actor_id = run.actor_id OR a.id = ANY (run.actions))
          -- Actions on the audit itself stay.
          AND a.name NOT LIKE 'audit.%'
          AND (a.reason !~ '^erased:[0-9]+$' OR a.comment !~ '^erased:[0-9]+$' OR a.remote_ip IS NOT NULL
               OR a.meta IS NOT NULL AND NOT threadline.is_erased(a.meta -> 'erased'))
        LIMIT at_most
    )
    UPDATE threadline.audit_actions AS a
    SET reason = CASE WHEN a.reason IS NOT NULL THEN tl_mark END,
        comment = CASE WHEN a.comment IS NOT NULL THEN tl_mark END,
        meta = CASE WHEN a.meta IS NOT NULL THEN jsonb_build_object('erased', tl_mark) END,
        remote_ip = NULL
    FROM due WHERE a.id = due.id;
    GET DIAGNOSTICS tl_actions = ROW_COUNT;
    IF run.actor_type IS NOT NULL THEN
        WITH due AS (
            SELECT x.id FROM threadline.ledger_transactions AS x
            WHERE x.actor_type = run.actor_type AND x.actor_id = run.actor_id
              AND (x.remote_ip IS NOT NULL OR x.meta IS NOT NULL AND NOT threadline.is_erased(x.meta -> 'erased'))
            UNION ALL
            -- A context that could not be read is kept as text, and may be this actor's.
            SELECT x.id FROM threadline.ledger_transactions AS x
            WHERE x.actor_type IS NULL
              AND threadline.names_actor(coalesce(x.meta ->> 'unreadable_context', x.meta ->> 'untrusted_context'), run.actor_id)
            LIMIT at_most
        )
        UPDATE threadline.ledger_transactions AS x
        SET meta = CASE WHEN x.meta IS NOT NULL THEN jsonb_build_object('erased', tl_mark) END, remote_ip = NULL
        FROM due WHERE x.id = due.id;
        GET DIAGNOSTICS tl_transactions = ROW_COUNT;
    END IF;
    UPDATE threadline.erasures AS e SET texts = e.texts + tl_actions + tl_transactions WHERE e.id = run.id;
    RETURN tl_actions + tl_transactions;
END
$$;
REVOKE ALL ON FUNCTION threadline.erase_texts(threadline.erasures, bigint) FROM PUBLIC;
