-- Returns the actors whose id is the key of an erased record and whose texts are still on record:
-- the number of their actions with a reason, a comment, metadata or an address, and of their
-- transactions with metadata or an address. Only the application knows whether such an actor is
-- the same person; threadline.begin_erasure() with actor_type and actor_id erases the texts.
CREATE OR REPLACE FUNCTION threadline.texts_left(
    erasure bigint,
    OUT actor_type text, OUT actor_id text, OUT actions bigint, OUT transactions bigint
) RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT actor.type, actor.id, acted.actions, wrote.transactions
    FROM threadline.erasures AS e
    CROSS JOIN LATERAL (
        SELECT t.type, k.id
        FROM unnest(e.record_keys) AS k (id)
        CROSS JOIN unnest('{user,admin,service_account,job,system}'::text[]) AS t (type)
    ) AS actor
    CROSS JOIN LATERAL (
        SELECT count(*) AS actions
        FROM threadline.audit_actions AS a
        WHERE a.actor_type = actor.type AND a.actor_id = actor.id AND a.name NOT LIKE 'audit.%'
          AND (a.reason !~ '^erased:[0-9]+$' OR a.comment !~ '^erased:[0-9]+$' OR a.remote_ip IS NOT NULL
               OR a.meta IS NOT NULL AND NOT threadline.is_erased(a.meta -> 'erased'))
    ) AS acted
    CROSS JOIN LATERAL (
        SELECT count(*) AS transactions
        FROM threadline.ledger_transactions AS x
        WHERE x.actor_type = actor.type AND x.actor_id = actor.id
          AND (x.remote_ip IS NOT NULL OR x.meta IS NOT NULL AND NOT threadline.is_erased(x.meta -> 'erased'))
    ) AS wrote
    WHERE e.id = texts_left.erasure AND acted.actions + wrote.transactions > 0
    ORDER BY actor.id, actor.type;
END;
REVOKE ALL ON FUNCTION threadline.texts_left(bigint) FROM PUBLIC;
COMMENT ON FUNCTION threadline.texts_left(bigint) IS
    'The actors whose id is the key of an erased record and whose texts are still on record';
