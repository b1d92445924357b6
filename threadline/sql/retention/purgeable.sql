-- Returns the changes of a table, or with NULL the actions, that a purge reads next, in the order
-- of their transactions. Old ones are removed, unless they are held.
CREATE OR REPLACE FUNCTION threadline.purgeable(
    audited_table integer, horizon timestamptz, after_transaction bigint, after_id bigint, at_most bigint
) RETURNS TABLE (transaction_id bigint, id bigint, is_old boolean, goes boolean, bytes bigint)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tl_holds boolean := EXISTS (SELECT FROM threadline.legal_holds AS h WHERE h.released_at IS NULL);
    tl_end bigint;
    tl_straddling bigint[];
    tl_moved text[];
BEGIN
    IF audited_table IS NULL THEN
        RETURN QUERY
        SELECT a.transaction_id, a.id, age.is_old,
               age.is_old AND NOT (tl_holds AND threadline.held(NULL, NULL, NULL, a.actor_type, a.actor_id, a.correlation_id)),
               pg_column_size(a.*)::bigint
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
    tl_end := threadline.purge_end(horizon);
    -- If a transaction continued after the horizon, all of it is needed for the state before it.
    tl_straddling := threadline.straddling(horizon, tl_end);
    -- threadline.purge() notes them first.
    IF tl_holds THEN
        tl_moved := ARRAY(SELECT unnest(m.record_keys) FROM threadline.held_moves() AS m WHERE m.table_id = audited_table);
    END IF;
    RETURN QUERY
    SELECT c.transaction_id, c.id, age.is_old,
           age.is_old AND NOT (tl_holds AND (threadline.is_held(c) OR tl_moved && ARRAY[c.record_key, c.previous_key])),
           pg_column_size(c.*)::bigint
    FROM threadline.ledger_changes AS c
    CROSS JOIN LATERAL (
        SELECT c.captured_at < horizon AND c.id < tl_end AND c.transaction_id <> ALL (tl_straddling) AS is_old
    ) AS age
    -- One index has this order, regardless of the estimates: by the primary key, the changes of
    -- all other tables would be read to find the first of this one.
    WHERE (c.table_id, c.transaction_id, c.id) > (audited_table, after_transaction, after_id)
      AND (c.table_id, c.transaction_id) < (audited_table, tl_end)
    ORDER BY c.table_id, c.transaction_id, c.id
    LIMIT at_most;
END
$$;
