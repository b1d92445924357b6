-- Writes rows again that were reverted and then changed along with others: deleting an inserted
-- row decrements, by a trigger, a counter that its insertion incremented and that the revert has
-- already restored.
CREATE OR REPLACE FUNCTION threadline.rewrite_reverted_rows(changes threadline.audit_changes[], began timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    tl_transaction bigint := nullif(split_part(current_setting('threadline.transaction', true), ' ', 1), '');
    tl_record record;
    tl_target regclass;
    tl_live jsonb;
    tl_image jsonb;
BEGIN
    FOR tl_record IN
        WITH own AS (
            SELECT c.table_id, c.record_key, count(*) AS changes
            FROM threadline.audit_changes AS c
            WHERE c.transaction_id = tl_transaction AND c.captured_at > began
            GROUP BY c.table_id, c.record_key
        )
        SELECT c.table_id, c.record_key,
               threadline.jsonb_merge(
                   threadline.current_names(c.table_id,
                       CASE WHEN c.op = 'U' THEN c.changed_from ELSE c.row_data END, c.captured_at)
                   ORDER BY c.id DESC) AS image
        FROM unnest(changes) AS c
        JOIN own USING (table_id, record_key)
        GROUP BY c.table_id, c.record_key, own.changes
        HAVING (array_agg(c.op ORDER BY c.id))[1] <> 'I' AND bool_and(c.previous_key IS NULL)
           -- If a trigger sets columns of its own row last, its value stays.
           AND own.changes > count(*)
    LOOP
        tl_target := threadline.relation_of(tl_record.table_id);
        tl_live := threadline.live_image(tl_record.table_id, tl_target, tl_record.record_key);
        SELECT jsonb_object_agg(field.key, field.value) INTO tl_image
        FROM jsonb_each(tl_record.image - threadline.ignored_columns(tl_record.table_id)) AS field
        JOIN threadline.column_policy(tl_record.table_id, tl_target) AS c ON c.name = field.key AND c.column_policy = 'plain'
        WHERE (tl_live -> field.key)::text <> field.value::text;
        PERFORM threadline.write_row(tl_target, tl_image,
            threadline.key_condition(tl_record.table_id, tl_record.record_key, 'tl_row'))
        WHERE tl_image IS NOT NULL;
    END LOOP;
END
$$;
