-- Returns what threadline.purge() would remove, and from where; for a long period this reads many
-- rows.
CREATE OR REPLACE FUNCTION threadline.purge_preview()
RETURNS TABLE (schema_name text, table_name text, keep interval, horizon timestamptz, goes bigint, held bigint, bytes bigint, oldest timestamptz)
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT t.schema_name, t.table_name, k.keep, k.horizon, counted.goes, counted.held, counted.bytes, counted.oldest
    FROM threadline.kept_for AS k
    LEFT JOIN threadline.audited_tables AS t ON t.id = k.table_id
    CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE p.goes) AS goes, count(*) FILTER (WHERE NOT p.goes) AS held,
               coalesce(sum(p.bytes) FILTER (WHERE p.goes), 0)::bigint AS bytes,
               min(coalesce(c.captured_at, a.occurred_at)) FILTER (WHERE p.goes) AS oldest
        FROM threadline.purgeable(k.table_id, k.horizon, -1, -1, 9223372036854775807) AS p
        LEFT JOIN threadline.ledger_changes AS c ON k.table_id IS NOT NULL AND c.transaction_id = p.transaction_id AND c.id = p.id
        LEFT JOIN threadline.audit_actions AS a ON k.table_id IS NULL AND a.id = p.id
    ) AS counted
    ORDER BY t.schema_name, t.table_name;
END;
