WITH redaction AS MATERIALIZED (
    SELECT *
    FROM threadline.redaction(threadline.audited_table_of({table name}::regclass), {table name}::regclass, {instant})
)
SELECT r.key, r.image, to_jsonb(redaction.columns)
       {model columns}
FROM threadline.rows_as_of({table name}::regclass, {instant}) AS r
CROSS JOIN redaction
CROSS JOIN LATERAL threadline.populate(
    NULL::{table}, redaction.filled || (r.image - redaction.unreadable), redaction.columns) AS {row alias}
