-- Returns the AuditTransactions in the journal, up to an entry, in the form that they have in the
-- ledger.
CREATE OR REPLACE FUNCTION threadline.pending_transactions(up_to bigint DEFAULT 9223372036854775807) RETURNS SETOF threadline.ledger_transactions
LANGUAGE plpgsql STABLE ROWS 1
SET search_path = pg_catalog, threadline, pg_temp
SET jit = off
-- The journal can be empty at one moment and full at the next, so no estimate holds.
SET enable_nestloop = off
SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
BEGIN
    IF NOT EXISTS (SELECT FROM threadline.journal) THEN
        RETURN;
    END IF;
    RETURN QUERY
    SELECT o.id, o.xact_id, o.occurred_at, o.opened_at,
           CASE WHEN o.xact_id = pg_current_xact_id_if_assigned() THEN 'infinity' -- It may continue.
                WHEN o.last_at >= o.opened_at + interval '1 hour' THEN o.last_at + interval '1 second' END,
           c.actor_type, c.actor_id,
           CASE WHEN o.forged THEN 'untrusted' ELSE c.actor_origin END,
           c.request_id, c.correlation_id, c.job_id, c.source, c.remote_ip, c.meta,
           coalesce(o.session_user_name, 'unknown'),
           CASE WHEN o.forged THEN 'the setting threadline.transaction named another transaction' ELSE c.context_error END,
           nullif(o.application_name, '')
    FROM (
        SELECT t.shown_id AS id, j.xact_id, j.occurred_at,
               min(j.captured_at) AS opened_at, max(j.captured_at) AS last_at,
               max(j.context) FILTER (WHERE j.id = t.shown_id) AS context,
               max(j.session_user_name) FILTER (WHERE j.id = t.shown_id) AS session_user_name,
               max(j.application_name) FILTER (WHERE j.id = t.shown_id) AS application_name,
               NOT bool_or(t.is_opened) AS forged
        FROM threadline.journal AS j
        -- The end of a transaction depends on all its entries, including those not posted in this
        -- call.
        JOIN threadline.entry_transactions(up_to) AS t ON t.entry_transaction = j.transaction_id AND t.xact_id = j.xact_id AND t.occurred_at = j.occurred_at
        GROUP BY t.shown_id, j.xact_id, j.occurred_at
    ) AS o
    CROSS JOIN LATERAL threadline.read_context(o.context, o.occurred_at) AS c
    WHERE (o.forged OR o.context IS NOT NULL)
      -- Looked up by id, regardless of the number of rows: EXISTS would become a join, or read
      -- all ids.
      AND (SELECT x.id FROM threadline.ledger_transactions AS x
           WHERE x.id = o.id AND x.xact_id = o.xact_id AND x.occurred_at = o.occurred_at) IS NULL;
END
$$;
