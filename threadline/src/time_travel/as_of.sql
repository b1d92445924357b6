SELECT r.state, r.image, r.transaction_id, r.change_id, t.audited_since,
       to_jsonb(redacted.columns)
       {model columns}
FROM threadline.audited_tables AS t
CROSS JOIN LATERAL threadline.record_as_of(
    {table name}::regclass,
    threadline.record_key(ROW({key values}), t.key_types),
    {instant}
) AS r
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(k.name ORDER BY k.name), ARRAY[]::text[]) AS columns
    FROM jsonb_to_recordset(t.columns) AS k (name text, treatment text)
    WHERE k.treatment <> 'clear'
) AS redacted
CROSS JOIN LATERAL threadline.populate(
    NULL::{table},
    threadline.fill_excluded(t.id, coalesce(r.image, jsonb_build_object())),
    redacted.columns
) AS {row alias}
WHERE t.id = threadline.audited_table_of({table name}::regclass)
