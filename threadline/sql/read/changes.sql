CREATE VIEW threadline.changes AS
SELECT c.id,
       c.captured_at,
       t.schema_name,
       t.table_name,
       CASE c.op WHEN 'I' THEN 'insert' WHEN 'U' THEN 'update' WHEN 'D' THEN 'delete' WHEN 'T' THEN 'truncate'
                 ELSE c.op::text END AS op,
       threadline.change_key(t.former_keys, t.key_columns, t.key_types, c.record_key, c.id) AS key,
       threadline.change_key(t.former_keys, t.key_columns, t.key_types, c.previous_key, c.id) AS previous_key,
       CASE WHEN (SELECT threadline.hidings()) ? c.table_id::text
            THEN threadline.shown_image(c.changed_from, (SELECT threadline.hidings()) -> c.table_id::text, c.captured_at) ELSE c.changed_from END AS changed_from,
       CASE WHEN (SELECT threadline.hidings()) ? c.table_id::text
            THEN threadline.shown_image(c.changed_to, (SELECT threadline.hidings()) -> c.table_id::text, c.captured_at) ELSE c.changed_to END AS changed_to,
       CASE WHEN (SELECT threadline.hidings()) ? c.table_id::text
            THEN threadline.shown_image(c.row_data, (SELECT threadline.hidings()) -> c.table_id::text, c.captured_at) ELSE c.row_data END AS row_data,
       x.actor_type,
       x.actor_id,
       x.actor_origin,
       x.request_id,
       x.correlation_id,
       x.job_id,
       x.source,
       x.remote_ip,
       x.meta,
       x.session_user_name,
       x.application_name,
       x.context_error,
       c.transaction_id,
       x.xact_id,
       x.occurred_at,
       c.record_key
FROM threadline.audit_changes AS c
LEFT JOIN threadline.audited_tables AS t ON t.id = c.table_id
LEFT JOIN threadline.audit_transactions AS x ON x.id = c.transaction_id;
COMMENT ON VIEW threadline.changes IS
    'Every recorded change with its table, key, actor and context, for reading in psql, without values that the present policy hides; the newest with ORDER BY transaction_id DESC, id DESC';
