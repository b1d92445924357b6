({mentions} AND EXISTS (
        SELECT
        FROM unnest(ARRAY[{changed_from}, {changed_to}, {row_data}]) AS image
        CROSS JOIN LATERAL jsonb_each_text(CASE WHEN jsonb_typeof(image) = 'object' THEN image END) AS v (name, value)
        WHERE strpos(v.value, {text}) > 0)
    OR strpos(concat_ws(E'\n', c.record_key, c.previous_key), {text}) > 0
    -- Read once, regardless of the number of changes.
    OR c.transaction_id IN (
        SELECT w.id FROM threadline.audit_transactions AS w
        WHERE {transaction bounds}
          AND strpos(concat_ws(E'\n', w.actor_id, w.request_id, w.correlation_id, w.job_id, w.source,
                               (SELECT string_agg(m.value, E'\n') FROM jsonb_each_text(CASE WHEN jsonb_typeof(w.meta) = 'object' THEN w.meta END) AS m)), {text}) > 0)
    OR c.transaction_id IN (
        SELECT w.transaction_id FROM threadline.audit_actions AS w
        WHERE {action bounds}
          AND strpos(concat_ws(E'\n', w.name, w.actor_id, w.reason, w.comment, w.request_id, w.correlation_id, w.job_id,
                               (SELECT string_agg(m.value, E'\n') FROM jsonb_each_text(CASE WHEN jsonb_typeof(w.meta) = 'object' THEN w.meta END) AS m)), {text}) > 0))
