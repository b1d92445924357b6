-- Returns the records since a change, and the columns that capture knows.
CREATE FUNCTION observer.recorded(since bigint) RETURNS text
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
AS $$
    SELECT jsonb_build_object(
        'total', (SELECT count(*) FROM threadline.audit_changes),
        'last', (SELECT coalesce(max(id), 0) FROM threadline.audit_changes),
        -- A context counts in the transaction in which it was made.
        'context', CASE WHEN starts_with(current_setting('threadline.context', true), extract(epoch FROM now()) || ' ')
            THEN substr(current_setting('threadline.context', true), strpos(current_setting('threadline.context', true), ' ') + 1) ELSE '' END,
        'role', current_setting('role'),
        'read_only', current_setting('transaction_read_only'),
        'changes', (
            SELECT coalesce(jsonb_agg(jsonb_build_object(
                'label', r.label, 'op', c.op, 'statement', c.statement,
                'key', c.record_key, 'previous', c.previous_key,
                'from', observer.texts(c.changed_from), 'to', observer.texts(c.changed_to), 'row', observer.texts(c.row_data),
                'owned', x.id IS NOT NULL, 'actor', x.actor_id) ORDER BY c.id), '[]')
            FROM threadline.audit_changes AS c
            LEFT JOIN threadline.audit_transactions AS x ON x.id = c.transaction_id
            LEFT JOIN threadline.audited_tables AS t ON t.id = c.table_id
            LEFT JOIN observer.tables AS r ON r.relation = t.relation
            WHERE c.id > since),
        'built', (
            SELECT jsonb_object_agg(r.label, t.columns)
            FROM threadline.audited_tables AS t JOIN observer.tables AS r USING (relation)))::text
$$;
