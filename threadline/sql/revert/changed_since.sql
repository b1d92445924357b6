-- Returns the columns that no longer have the value that a change gave them. For a masked or
-- erased one, the image only shows whether it is NULL: there the record's later changes are read.
-- Changes by the revert itself do not count.
CREATE OR REPLACE FUNCTION threadline.changed_since(
    change threadline.audit_changes, target regclass, after jsonb, live jsonb, began timestamptz
) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_columns text[];
BEGIN
    SELECT array_agg(c.name ORDER BY c.name) INTO tl_columns
    FROM jsonb_each(after) AS field
    JOIN threadline.column_policy(change.table_id, target) AS c ON c.name = field.key
    WHERE CASE
        WHEN c.column_policy = 'exclude' THEN false
        WHEN c.column_policy = 'plain' AND c.plain_since > change.captured_at IS NOT TRUE AND NOT threadline.is_erased(field.value)
            THEN (live -> c.name)::text IS DISTINCT FROM field.value::text
        WHEN (live -> c.name = 'null') <> (field.value = 'null') THEN true
        ELSE EXISTS (
            SELECT
            FROM threadline.record_changes(change.table_id, change.record_key) AS later
            WHERE later.table_id = change.table_id AND later.record_key = change.record_key
              AND later.id > change.id AND later.transaction_id <> change.transaction_id
              AND (later.op = 'I'
                   OR threadline.current_names(later.table_id, later.changed_to, later.captured_at) ? c.name))
    END;
    IF tl_columns IS NOT NULL THEN
        SELECT array_agg(name) INTO tl_columns
        FROM unnest(tl_columns) AS name
        WHERE name NOT IN (
            SELECT jsonb_object_keys(own.changed_to)
            FROM threadline.own_changes(change.table_id, change.record_key, began) AS own
            WHERE own.op = 'U');
    END IF;
    RETURN tl_columns;
END
$$;
