SELECT h.id, h.reason, t.schema_name AS "schema", t.table_name AS "table", h.record_keys, h.correlation_id,
       nullif(concat_ws(':', h.actor_type, h.actor_id), '') AS actor,
       h.placed_at, h.placed_by, h.released_at, h.released_by
FROM threadline.legal_holds AS h
JOIN threadline.audited_tables AS t ON t.id = h.table_id
WHERE t.id = threadline.known_table_of($1::regclass) AND (h.record_keys IS NULL OR threadline.canonical_key(threadline.known_table_of($1::regclass), $2) = ANY (h.record_keys))
ORDER BY h.id
