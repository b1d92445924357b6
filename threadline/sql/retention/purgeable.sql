-- Returns the changes of a table, or with NULL the actions, that a purge reads next, in the order
-- of their transactions. Old ones are removed, unless they are held.
CREATE OR REPLACE FUNCTION threadline.purgeable(
    audited_table integer, horizon timestamptz, after_transaction bigint, after_id bigint, at_most bigint
) RETURNS TABLE (transaction_id bigint, id bigint, is_old boolean, goes boolean, bytes bigint, place tid)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    tl_holds boolean := EXISTS (SELECT FROM threadline.legal_holds AS h WHERE h.released_at IS NULL);
    -- One is in use for an hour at most, or says for how long, as in threadline.first_transaction_since().
    tl_before timestamptz := horizon - interval '2 hours';
    tl_end bigint;
BEGIN
    IF audited_table IS NULL THEN
        RETURN QUERY
        SELECT a.transaction_id, a.id, age.is_old,
               age.is_old AND NOT (tl_holds AND threadline.held(NULL, NULL, NULL, a.actor_type, a.actor_id, a.correlation_id)),
               pg_column_size(a.*)::bigint, a.ctid
        FROM threadline.audit_actions AS a
        -- Actions on the audit itself stay.
        CROSS JOIN LATERAL (SELECT a.occurred_at < horizon AND a.name NOT LIKE 'audit.%' AS is_old) AS age
        WHERE a.id > after_id
          AND a.id <= (SELECT o.id FROM threadline.audit_actions AS o WHERE o.occurred_at < horizon ORDER BY o.id DESC LIMIT 1)
        ORDER BY a.id
        LIMIT at_most;
        RETURN;
    END IF;
    -- Changes of a record are removed in their order: none that came after the first change that
    -- stays.
    tl_end := coalesce(
        (SELECT x.id FROM threadline.ledger_transactions AS x WHERE x.opened_at >= tl_before ORDER BY x.opened_at LIMIT 1),
        9223372036854775807);
    RETURN QUERY
    SELECT c.transaction_id, c.id, age.is_old,
           age.is_old AND NOT (tl_holds AND threadline.held(c.table_id, c.record_key, c.previous_key, x.actor_type, x.actor_id, x.correlation_id)),
           pg_column_size(c.*)::bigint, c.ctid
    FROM threadline.ledger_changes AS c
    -- Looked up by index: a join would read all transactions from the first on.
    LEFT JOIN LATERAL (
        SELECT of.xact_id, of.occurred_at, of.actor_type, of.actor_id, of.correlation_id
        FROM threadline.ledger_transactions AS of WHERE of.id = c.transaction_id
        OFFSET 0
    ) AS x ON true
    CROSS JOIN LATERAL (
        SELECT c.captured_at < horizon AND c.id < tl_end
           -- If a transaction continued after the horizon, all of it is needed for the state
           -- before it.
           AND NOT EXISTS (
               SELECT FROM threadline.ledger_transactions AS part
               WHERE part.xact_id = x.xact_id AND part.occurred_at = x.occurred_at
                 AND (part.opened_at >= tl_before OR part.extended_until >= horizon)) AS is_old
        -- Looked up once a change.
        OFFSET 0
    ) AS age
    -- One index has this order, regardless of the estimates: by the primary key, the changes of
    -- all other tables would be read to find the first of this one.
    WHERE (c.table_id, c.transaction_id, c.id) > (audited_table, after_transaction, after_id)
      AND (c.table_id, c.transaction_id) < (audited_table, tl_end)
    ORDER BY c.table_id, c.transaction_id, c.id
    LIMIT at_most;
END
$$;
