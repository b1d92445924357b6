-- Returns the AuditTransactions in the journal, up to an entry, in the form that they have in the
-- ledger. A range of places as for threadline.pending_changes().
CREATE OR REPLACE FUNCTION threadline.pending_transactions(
    up_to bigint DEFAULT 9223372036854775807, lowest tid DEFAULT '(0,0)', highest tid DEFAULT '(4294967295,65535)'
) RETURNS SETOF threadline.ledger_transactions
LANGUAGE plpgsql STABLE ROWS 1 SET search_path = pg_catalog, threadline, pg_temp
SET jit = off
-- The journal can be empty at one moment and full at the next, so no estimate holds.
SET enable_nestloop = off
SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    -- Whether a context cannot be read.
    tl_unreadable boolean := false;
BEGIN
    IF NOT EXISTS (SELECT FROM threadline.journal) THEN
        RETURN;
    END IF;
    LOOP
        BEGIN
            -- All contexts are read at once, because a handler of errors for each would cost as
            -- much as everything else. An error leaves no rows behind: the order needs all of them
            -- before it returns one.
            RETURN QUERY
            WITH opened AS MATERIALIZED (
                SELECT j.id, j.id AS entry_transaction, j.xact_id, j.occurred_at, j.captured_at,
                       j.context, j.session_user_name, j.application_name, false AS forged
                FROM threadline.journal AS j
                WHERE j.id <= up_to AND j.ctid >= lowest AND j.ctid <= highest AND j.id = j.transaction_id AND j.context IS NOT NULL
                UNION ALL
                SELECT n.shown_id, n.entry_transaction, n.xact_id, n.occurred_at, NULL,
                       j.context, j.session_user_name, j.application_name, true
                FROM threadline.unopened_transactions(up_to, lowest, highest) AS n
                LEFT JOIN threadline.journal AS j ON j.id = n.shown_id AND j.xact_id = n.xact_id AND j.occurred_at = n.occurred_at
            ), further AS MATERIALIZED (
                -- The end of a transaction depends on all its entries, including those not posted
                -- in this call.
                SELECT o.id, o.xact_id, o.occurred_at, min(j.captured_at) AS first_at, max(j.captured_at) AS last_at
                FROM opened AS o
                JOIN threadline.journal AS j ON j.transaction_id = o.entry_transaction AND j.xact_id = o.xact_id AND j.occurred_at = o.occurred_at
                WHERE j.id <> j.transaction_id OR j.context IS NULL
                GROUP BY o.id, o.xact_id, o.occurred_at
            )
            -- Several forged names become one.
            SELECT DISTINCT ON (o.id, o.xact_id, o.occurred_at) o.id, o.xact_id, o.occurred_at, o.opened_at,
                   CASE WHEN o.xact_id = pg_current_xact_id_if_assigned() THEN 'infinity' -- It may continue.
                        WHEN o.last_at >= o.opened_at + interval '1 hour' THEN o.last_at + interval '1 second' END,
                   c.actor_type, c.actor_id,
                   CASE WHEN o.forged THEN 'untrusted' ELSE c.actor_origin END,
                   c.request_id, c.correlation_id, c.job_id, c.source, c.remote_ip, c.meta,
                   coalesce(o.session_user_name, 'unknown'),
                   CASE WHEN o.forged THEN 'the setting threadline.transaction named another transaction' ELSE c.context_error END,
                   nullif(o.application_name, '')
            FROM (
                SELECT o.*,
                       CASE WHEN octet_length(o.context) <= 1000 AND NOT tl_unreadable AND starts_with(o.context, extract(epoch FROM o.occurred_at) || ' ')
                            THEN substr(o.context, strpos(o.context, ' ') + 1)::jsonb END AS document
                FROM (
                    SELECT p.id, p.xact_id, p.occurred_at, p.forged,
                           least(p.captured_at, f.first_at) AS opened_at, greatest(p.captured_at, f.last_at) AS last_at,
                           p.context, p.session_user_name, p.application_name
                    FROM opened AS p
                    LEFT JOIN further AS f ON f.id = p.id AND f.xact_id = p.xact_id AND f.occurred_at = p.occurred_at
                ) AS o
                -- Looked up by id, regardless of the number of rows: EXISTS would become a join, or
                -- read all ids.
                WHERE (SELECT x.id FROM threadline.ledger_transactions AS x
                       WHERE x.id = o.id AND x.xact_id = o.xact_id AND x.occurred_at = o.occurred_at) IS NULL
                OFFSET 0
            ) AS o
            CROSS JOIN LATERAL (SELECT o.document -> 'actor' AS actor OFFSET 0) AS a
            CROSS JOIN LATERAL (
                -- As in threadline.read_context(), for a context with an actor that begins with a
                -- visible character.
                SELECT o.context = '' OR jsonb_typeof(o.document) = 'object'
                   AND a.actor ->> 'type' COLLATE "C" BETWEEN '!' AND '~'
                   AND (a.actor ->> 'id' COLLATE "C" BETWEEN '!' AND '~' OR a.actor ->> 'type' = 'anonymous') AS it_is
                OFFSET 0
            ) AS plain
            CROSS JOIN LATERAL (
                SELECT a.actor ->> 'type' AS actor_type, a.actor ->> 'id' AS actor_id,
                       CASE WHEN a.actor IS NULL THEN 'none' ELSE coalesce(o.document ->> 'origin', 'sql') END AS actor_origin,
                       o.document ->> 'request_id' AS request_id, o.document ->> 'correlation_id' AS correlation_id,
                       o.document ->> 'job_id' AS job_id, o.document ->> 'source' AS source,
                       (o.document ->> 'remote_ip')::inet AS remote_ip, nullif(o.document -> 'metadata', 'null') AS meta,
                       NULL AS context_error
                WHERE plain.it_is
                UNION ALL
                SELECT r.* FROM threadline.read_context(o.context, o.occurred_at) AS r WHERE plain.it_is IS NOT true
            ) AS c
            ORDER BY o.id, o.xact_id, o.occurred_at;
            RETURN;
        EXCEPTION WHEN data_exception OR program_limit_exceeded OR statement_too_complex THEN
            IF tl_unreadable THEN
                RAISE;
            END IF;
            tl_unreadable := true;
        END;
    END LOOP;
END
$$;
