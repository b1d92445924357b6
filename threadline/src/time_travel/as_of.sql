SELECT r.state, r.image, r.transaction_id, r.change_id, CASE r.state WHEN 'purged' THEN t.kept_since ELSE t.audited_since END,
       to_jsonb(redaction.columns)
       {model columns}
FROM threadline.audited_tables AS t
CROSS JOIN LATERAL threadline.record_as_of(
    {table name}::regclass,
    threadline.record_key(ROW({key values}), t.key_types),
    {instant}
) AS r
CROSS JOIN LATERAL threadline.redaction(t.id, {table name}::regclass, {instant}) AS redaction
CROSS JOIN LATERAL threadline.populate(
    NULL::{table},
    redaction.filled || (coalesce(r.image, jsonb_build_object()) - redaction.unreadable),
    redaction.columns
) AS {row alias}
WHERE t.id = threadline.audited_table_of({table name}::regclass)
