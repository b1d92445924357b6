WITH redaction AS MATERIALIZED (
    SELECT r.*, t.numeric_columns, t.columns AS audited_columns, threadline.alterations_of(t.id) AS alterations
    FROM threadline.audited_tables AS t
    CROSS JOIN LATERAL threadline.redaction(t.id, {table name}::regclass, {instant}) AS r
    WHERE t.id = threadline.audited_table_of({table name}::regclass)
), batch AS (
    -- Many images at once: converting one image in its own call takes longer than a hundred in
    -- one.
    SELECT array_agg(r.key) AS keys, array_agg(r.image) AS images, array_agg(to_jsonb(r.unrecorded)) AS unrecorded,
           -- The model has the present labels of enums.
           array_agg(redaction.filled || (CASE
               WHEN redaction.alterations IS NULL THEN r.image
               ELSE threadline.relabelled_image(redaction.alterations, r.image, {instant}) END - redaction.unreadable)) AS filled
    FROM (
        SELECT r.*, sum(pg_column_size(r.image)) OVER (ROWS UNBOUNDED PRECEDING) / 200000 AS place
        FROM threadline.rows_as_of({table name}::regclass, {instant}) AS r
    ) AS r
    LEFT JOIN redaction ON true
    GROUP BY r.place
), past AS (
    SELECT unnest(batch.keys) AS key,
           unnest(threadline.exact_images(batch.images, redaction.numeric_columns, redaction.audited_columns)) AS image,
           unnest(batch.unrecorded) AS unrecorded, unnest(batch.filled) AS filled,
           unnest(threadline.populate_rows(NULL::{table}, batch.filled, redaction.columns)) AS populated,
           redaction.columns
    FROM batch
    LEFT JOIN redaction ON true
)
SELECT {row alias}.key, {row alias}.image, to_jsonb({row alias}.columns), {row alias}.unrecorded,
       CASE WHEN {row alias}.populated IS NULL THEN threadline.misfits(NULL::{table}, {row alias}.filled, {row alias}.columns) END,
       to_jsonb(threadline.erased_columns({row alias}.image)),
       {model alias}.*
FROM past AS {row alias}
CROSS JOIN LATERAL (
    SELECT {model columns}
    FROM (SELECT ({row alias}.populated).*) AS {model table}
) AS {model alias}
