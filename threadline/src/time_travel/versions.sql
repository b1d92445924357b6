, audited AS (
    -- Changes made while the table was not audited are unknown.
    SELECT target.record_key, t.id AS table_id, t.audited_since, t.chained_since, t.key_columns, threadline.key_since(t.id) AS key_since, relation.oid,
           ARRAY(SELECT jsonb_array_elements_text(t.policy -> 'ignore')) AS ignored,
           t.id IS NOT DISTINCT FROM threadline.audited_table_of(coalesce(pg_partition_root(relation.oid), relation.oid)) AS still,
           threadline.renames_of(t.id) AS renames,
           altered.alterations,
           CASE WHEN threadline.key_is_altered(t.id, altered.alterations) THEN t.key_types END AS altered_key_types
    FROM target
    JOIN threadline.audited_tables AS t ON t.id = target.table_id
    CROSS JOIN to_regclass({table name}) AS relation (oid)
    CROSS JOIN LATERAL (SELECT threadline.alterations_of(t.id) AS alterations OFFSET 0) AS altered
), live AS (
    SELECT image
    FROM (
        SELECT CASE WHEN still THEN threadline.live_image(table_id, oid, record_key) END AS image
        FROM audited
    ) AS row
    WHERE image IS NOT NULL
), named AS (
    -- Columns under today's names.
    SELECT record_changes.*,
           CASE WHEN renames IS NULL THEN changed_from ELSE threadline.renamed_image(renames, changed_from, captured_at) END AS from_now,
           CASE WHEN renames IS NULL THEN changed_to ELSE threadline.renamed_image(renames, changed_to, captured_at) END AS to_now,
           CASE WHEN renames IS NULL THEN row_data ELSE threadline.renamed_image(renames, row_data, captured_at) END AS row_now,
           least(CASE WHEN captured_at < audited_since THEN audited_since END,
                 CASE WHEN captured_at < chained_since THEN chained_since END, suspended.next_at) AS interrupted_at,
           CASE WHEN suspended.about_then THEN id END AS unchained,
           alterations,
           -- Before, the primary key was another.
           CASE WHEN id > key_since THEN key_columns ELSE ARRAY[]::text[] END AS key_columns,
           CASE WHEN id > key_since THEN altered_key_types END AS altered_key_types,
           ignored
    FROM record_changes
    CROSS JOIN (SELECT audited.table_id AS audited_table, renames, alterations, audited_since, chained_since, key_columns, key_since, altered_key_types, ignored FROM audited) AS audited
    -- Nor are writes while capture was suspended, and when each was made.
    CROSS JOIN LATERAL (
        SELECT min(CASE WHEN w.occurred_at > captured_at THEN w.occurred_at ELSE coalesce(w.ended_at, 'infinity') END) AS next_at,
               bool_or(w.occurred_at <= captured_at) AS about_then
        FROM threadline.suspended_writes AS w
        WHERE w.table_id = audited_table AND (w.ended_at > captured_at OR w.ended_at IS NULL)
    ) AS suspended
), chained AS (
    -- An insert, delete or truncate ends one chain of updates and begins another: numbered from
    -- the end as `life`, from the beginning as `birth`. So does an interruption of the audit.
    SELECT *,
           -- Anything but an object is damage, and must not affect other versions.
           CASE WHEN jsonb_typeof(CASE WHEN op IN ('D', 'T') THEN row_now ELSE from_now END) = 'object'
                THEN CASE WHEN op IN ('D', 'T') THEN row_now ELSE from_now END END AS undo,
           CASE WHEN jsonb_typeof(CASE WHEN op = 'I' THEN row_now ELSE to_now END) = 'object'
                -- The key is that of the insert, unless it was changed.
                THEN CASE WHEN op = 'I' THEN row_now WHEN previous_key IS NULL THEN to_now - key_columns ELSE to_now END END AS redo,
           count(*) FILTER (WHERE op IN ('I', 'D', 'T')) OVER (ORDER BY id DESC) AS life,
           count(*) FILTER (WHERE op IN ('I', 'D', 'T')) OVER (ORDER BY id) AS birth
    FROM named
), imaged AS (
    SELECT c.*,
           CASE WHEN c.op IN ('I', 'D', 'T') THEN c.row_now
                -- Back from the present or last state, undoing each later change; over that, the
                -- values recorded by then. Changes of only ignored columns are not recorded: the
                -- later value is nearer.
                ELSE threadline.image_then(c.alterations,
                     CASE WHEN c.life = 0 AND c.interrupted_at IS NULL
                          THEN coalesce((SELECT threadline.still_true(c.alterations, image, 'infinity', c.captured_at) FROM live), jsonb_build_object())
                          ELSE jsonb_build_object() END
                     || coalesce(
                         threadline.laid(c.alterations,
                             threadline.lay(c.alterations, c.undo, c.captured_at) FILTER (WHERE c.op <> 'I')
                                 OVER (PARTITION BY c.life, c.interrupted_at, c.unchained ORDER BY c.id DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
                             c.captured_at),
                         jsonb_build_object())
                     || (coalesce(
                         threadline.laid(c.alterations,
                             threadline.lay(c.alterations, c.redo, c.captured_at) FILTER (WHERE c.op NOT IN ('D', 'T'))
                                 OVER (PARTITION BY c.birth, c.interrupted_at, c.unchained ORDER BY c.id),
                             c.captured_at),
                         jsonb_build_object()) - c.ignored)
                     || coalesce(c.redo, jsonb_build_object()),
                     c.captured_at,
                     CASE WHEN c.altered_key_types IS NOT NULL THEN threadline.key_json(c.key_columns, c.altered_key_types, c.record_key) END)
           END AS image,
           -- Without an end or a beginning, columns that never changed are unknown.
           c.op IN ('I', 'D', 'T')
           OR (c.life = 0 AND c.interrupted_at IS NULL AND EXISTS (SELECT FROM live))
           OR first_value(c.op) OVER (PARTITION BY c.life, c.interrupted_at, c.unchained ORDER BY c.id DESC) IN ('D', 'T')
           OR first_value(c.op) OVER (PARTITION BY c.birth, c.interrupted_at, c.unchained ORDER BY c.id) = 'I' AS whole
    FROM chained AS c
)
SELECT
{change columns}
, threadline.exact_image(past.image, t.numeric_columns, t.columns)
, to_jsonb(c.whole)
, to_jsonb(redaction.columns)
, to_jsonb(ARRAY(
      SELECT name FROM unnest(threadline.unrecorded(c.alterations, c.image, c.captured_at)) AS name WHERE name <> ALL (redaction.columns)))
, CASE WHEN {row alias} IS NULL THEN threadline.misfits(NULL::{table}, past.filled, redaction.columns) END
, to_jsonb(threadline.erased_columns(past.image))
, {model alias}.*
FROM imaged AS c
{change tables}
CROSS JOIN audited
CROSS JOIN LATERAL threadline.redaction(c.table_id, audited.oid, c.captured_at) AS redaction
CROSS JOIN LATERAL (
    -- The model has the present labels of enums.
    SELECT r.image, redaction.filled || (CASE
        WHEN c.alterations IS NULL THEN r.image
        ELSE threadline.relabelled_image(c.alterations, r.image, c.captured_at) END - redaction.unreadable) AS filled
    FROM (SELECT threadline.redacted(c.image, redaction.hidden, redaction.masks) AS image) AS r
) AS past
CROSS JOIN LATERAL unnest(threadline.populate_rows(NULL::{table}, ARRAY[past.filled], redaction.columns)) AS {row alias}
CROSS JOIN LATERAL (
    SELECT {model columns}
    FROM (SELECT {row alias}.*) AS {model table}
) AS {model alias}
ORDER BY c.id DESC
