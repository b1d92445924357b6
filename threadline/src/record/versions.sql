, live AS (
    SELECT image
    FROM target
    CROSS JOIN LATERAL threadline.live_image(target.table_id, to_regclass({table name}), target.record_key) AS image
    WHERE image IS NOT NULL
), named AS (
    -- Columns under the names of today.
    SELECT story.*,
           CASE WHEN renamed.any THEN threadline.current_names(table_id, changed_from, captured_at) ELSE changed_from END AS from_now,
           CASE WHEN renamed.any THEN threadline.current_names(table_id, changed_to, captured_at) ELSE changed_to END AS to_now,
           CASE WHEN renamed.any THEN threadline.current_names(table_id, row_data, captured_at) ELSE row_data END AS row_now
    FROM story
    CROSS JOIN (
        SELECT EXISTS (SELECT FROM target CROSS JOIN LATERAL threadline.renames_of(target.table_id)) AS any
    ) AS renamed
), chained AS (
    -- An insert, delete or truncate ends one chain of updates and begins
    -- another: numbered from the end as `life`, from the beginning as `birth`.
    SELECT *,
           -- What is no object is damage, and spoils no other version.
           CASE WHEN jsonb_typeof(CASE WHEN op IN ('D', 'T') THEN row_now ELSE from_now END) = 'object'
                THEN CASE WHEN op IN ('D', 'T') THEN row_now ELSE from_now END END AS undo,
           CASE WHEN jsonb_typeof(CASE WHEN op = 'I' THEN row_now ELSE to_now END) = 'object'
                THEN CASE WHEN op = 'I' THEN row_now ELSE to_now END END AS redo,
           count(*) FILTER (WHERE op IN ('I', 'D', 'T')) OVER (ORDER BY id DESC) AS life,
           count(*) FILTER (WHERE op IN ('I', 'D', 'T')) OVER (ORDER BY id) AS birth
    FROM named
), imaged AS (
    SELECT c.*,
           CASE WHEN c.op IN ('I', 'D', 'T') THEN c.row_now
                -- Forward from its insertion, as far as that goes; over that,
                -- back from what the record is, or was when it went, undoing
                -- each later change.
                ELSE coalesce(
                         threadline.jsonb_merge(c.redo) FILTER (WHERE c.op NOT IN ('D', 'T') AND c.redo IS NOT NULL)
                             OVER (PARTITION BY c.birth ORDER BY c.id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
                         jsonb_build_object())
                     || CASE WHEN c.life = 0 THEN coalesce((SELECT image FROM live), jsonb_build_object())
                             ELSE jsonb_build_object() END
                     || coalesce(
                         threadline.jsonb_merge(c.undo) FILTER (WHERE c.op <> 'I' AND c.undo IS NOT NULL)
                             OVER (PARTITION BY c.life ORDER BY c.id DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
                         jsonb_build_object())
                     || coalesce(c.redo, jsonb_build_object())
           END AS image,
           -- Without an end or a beginning, columns that never changed are unknown.
           c.op IN ('I', 'D', 'T')
           OR (c.life = 0 AND EXISTS (SELECT FROM live))
           OR first_value(c.op) OVER (PARTITION BY c.life ORDER BY c.id DESC) IN ('D', 'T')
           OR first_value(c.op) OVER (PARTITION BY c.birth ORDER BY c.id) = 'I' AS whole
    FROM chained AS c
)
SELECT
{change columns}
, to_jsonb(redacted.columns)
, c.image
, to_jsonb(c.whole)
{model columns}
FROM imaged AS c
{change tables}
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(k.name ORDER BY k.name), ARRAY[]::text[]) AS columns
    FROM jsonb_to_recordset(t.columns) AS k (name text, treatment text)
    WHERE k.treatment <> 'clear'
) AS redacted
CROSS JOIN LATERAL threadline.populate(
    NULL::{table},
    threadline.fill_excluded(c.table_id, c.image),
    redacted.columns
) AS {row alias}
ORDER BY c.id DESC
