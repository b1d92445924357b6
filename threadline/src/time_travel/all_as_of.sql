WITH redaction AS MATERIALIZED (
    SELECT r.*, t.numeric_columns, t.columns AS audited_columns
    FROM threadline.audited_tables AS t
    CROSS JOIN LATERAL threadline.redaction(t.id, {table name}::regclass, {instant}) AS r
    WHERE t.id = threadline.audited_table_of({table name}::regclass)
)
SELECT r.key, threadline.exact_image(r.image, redaction.numeric_columns, redaction.audited_columns), to_jsonb(redaction.columns), to_jsonb(r.unrecorded),
       CASE WHEN {row alias} IS NULL THEN threadline.misfits(NULL::{table}, past.filled, redaction.columns) END,
       to_jsonb(threadline.erased_columns(r.image)),
       {model alias}.*
FROM threadline.rows_as_of({table name}::regclass, {instant}) AS r
LEFT JOIN redaction ON true
CROSS JOIN LATERAL (SELECT redaction.filled || (r.image - redaction.unreadable) AS filled) AS past
CROSS JOIN LATERAL threadline.populate(NULL::{table}, past.filled, redaction.columns) AS {row alias}
CROSS JOIN LATERAL (
    SELECT {model columns}
    FROM (SELECT {row alias}.*) AS {model table}
) AS {model alias}
