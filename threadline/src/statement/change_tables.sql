LEFT JOIN threadline.audited_tables AS t ON t.id = c.table_id
-- Its transaction is in one of the two. Not joined as threadline.audit_transactions, for which
-- the planner expects thousands of rows a change, and starts JIT compilation.
LEFT JOIN threadline.ledger_transactions AS posted ON posted.id = c.transaction_id
LEFT JOIN threadline.pending_transactions() AS waiting ON waiting.id = c.transaction_id
CROSS JOIN LATERAL (
    SELECT coalesce(posted.xact_id, waiting.xact_id) AS xact_id,
           coalesce(posted.occurred_at, waiting.occurred_at) AS occurred_at,
           coalesce(posted.actor_type, waiting.actor_type) AS actor_type,
           coalesce(posted.actor_id, waiting.actor_id) AS actor_id,
           coalesce(posted.actor_origin, waiting.actor_origin) AS actor_origin,
           coalesce(posted.request_id, waiting.request_id) AS request_id,
           coalesce(posted.correlation_id, waiting.correlation_id) AS correlation_id,
           coalesce(posted.job_id, waiting.job_id) AS job_id,
           coalesce(posted.source, waiting.source) AS source,
           coalesce(posted.remote_ip, waiting.remote_ip) AS remote_ip,
           coalesce(posted.meta, waiting.meta) AS meta,
           coalesce(posted.session_user_name, waiting.session_user_name) AS session_user_name,
           coalesce(posted.context_error, waiting.context_error) AS context_error
) AS x
-- Applies the present policy. One by one, so that an image with nothing to hide costs nothing,
-- and numbers are handled in the query itself.
CROSS JOIN LATERAL (
    SELECT (SELECT threadline.hidings()) -> c.table_id::text AS hiding OFFSET 0
) AS hidden
CROSS JOIN LATERAL (
    SELECT CASE WHEN hidden.hiding IS NULL THEN c.changed_from ELSE threadline.shown_image(c.changed_from, hidden.hiding, c.captured_at) END AS changed_from,
           CASE WHEN hidden.hiding IS NULL THEN c.changed_to ELSE threadline.shown_image(c.changed_to, hidden.hiding, c.captured_at) END AS changed_to,
           CASE WHEN hidden.hiding IS NULL THEN c.row_data ELSE threadline.shown_image(c.row_data, hidden.hiding, c.captured_at) END AS row_data
    OFFSET 0
) AS shown
