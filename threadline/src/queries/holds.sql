-- Legal holds in force.
SELECT h.id, h.reason, h.placed_at, h.placed_by,
       concat_ws(' ', t.schema_name || '.' || t.table_name, array_to_string(h.record_keys, ', '),
                 concat_ws(':', h.actor_type, h.actor_id), h.correlation_id)
FROM threadline.legal_holds AS h
LEFT JOIN threadline.audited_tables AS t ON t.id = h.table_id
WHERE h.released_at IS NULL
ORDER BY h.id DESC
LIMIT 100
