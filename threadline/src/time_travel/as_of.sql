SELECT r.state, threadline.exact_image(r.image, t.numeric_columns, t.columns), r.transaction_id, r.change_id, CASE r.state WHEN 'purged' THEN t.kept_since ELSE t.audited_since END,
       to_jsonb(redaction.columns), to_jsonb(r.unrecorded),
       CASE WHEN {row alias} IS NULL AND r.state = 'there' THEN threadline.misfits(NULL::{table}, past.filled, redaction.columns) END,
       to_jsonb(threadline.erased_columns(r.image)),
       {model alias}.*
FROM threadline.audited_tables AS t
CROSS JOIN LATERAL threadline.record_as_of(
    {table name}::regclass,
    threadline.record_key(t.id, ROW({key values})),
    {instant}
) AS r
CROSS JOIN LATERAL threadline.redaction(t.id, {table name}::regclass, {instant}) AS redaction
CROSS JOIN LATERAL (
    -- The model has the present labels of enums.
    SELECT redaction.filled || (threadline.relabelled_image(
        threadline.alterations_of(t.id), coalesce(r.image, jsonb_build_object()), {instant}) - redaction.unreadable) AS filled
) AS past
CROSS JOIN LATERAL unnest(threadline.populate_rows(NULL::{table}, ARRAY[past.filled], redaction.columns)) AS {row alias}
CROSS JOIN LATERAL (
    SELECT {model columns}
    FROM (SELECT {row alias}.*) AS {model table}
) AS {model alias}
WHERE t.id = threadline.audited_table_of({table name}::regclass)
