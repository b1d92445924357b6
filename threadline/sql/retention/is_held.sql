-- Returns whether a legal hold keeps a change.
CREATE OR REPLACE FUNCTION threadline.is_held(change threadline.ledger_changes) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT threadline.held(change.table_id, change.record_key, change.previous_key, x.actor_type, x.actor_id, x.correlation_id)
    FROM (SELECT change.transaction_id AS id) AS of
    LEFT JOIN threadline.ledger_transactions AS x ON x.id = of.id;
END;
