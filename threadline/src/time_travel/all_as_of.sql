WITH audited AS MATERIALIZED (
    SELECT threadline.fill_excluded(t.id, jsonb_build_object()) AS filled,
           (SELECT coalesce(array_agg(k.name ORDER BY k.name), ARRAY[]::text[])
            FROM jsonb_to_recordset(t.columns) AS k (name text, treatment text)
            WHERE k.treatment <> 'clear') AS redacted
    FROM threadline.audited_tables AS t
    WHERE t.id = threadline.audited_table_of({table name}::regclass)
)
SELECT r.key, r.image, to_jsonb(audited.redacted)
       {model columns}
FROM threadline.rows_as_of({table name}::regclass, {instant}) AS r
LEFT JOIN audited ON true
CROSS JOIN LATERAL threadline.populate(NULL::{table}, audited.filled || r.image, audited.redacted) AS {row alias}
