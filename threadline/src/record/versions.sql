, live AS (
    SELECT threadline.policy_image(target.table_id, to_jsonb(tl_live)) AS image
    FROM target
    JOIN {table} AS tl_live ON ({key columns}) = ({key values})
), chained AS (
    -- An insert, delete or truncate starts the chain of images anew.
    SELECT *, count(*) FILTER (WHERE op IN ('I', 'D', 'T')) OVER (ORDER BY id DESC) AS life
    FROM story
), imaged AS (
    SELECT c.*,
           CASE WHEN c.op IN ('I', 'D', 'T') THEN c.row_data
                ELSE CASE WHEN c.life = 0 THEN coalesce((SELECT image FROM live), jsonb_build_object()) ELSE jsonb_build_object() END
                     -- Back from what the record is or was at the end, undoing
                     -- each later change.
                     || coalesce(
                         threadline.jsonb_merge(CASE WHEN c.op IN ('D', 'T') THEN c.row_data ELSE c.changed_from END)
                             FILTER (WHERE c.op <> 'I')
                             OVER (PARTITION BY c.life ORDER BY c.id DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
                         jsonb_build_object())
                     || coalesce(c.changed_to, jsonb_build_object())
           END AS image
    FROM chained AS c
)
SELECT
{change columns}
, coalesce((
    SELECT jsonb_agg(k.name ORDER BY k.name)
    FROM jsonb_to_recordset(t.columns) AS k (name text, treatment text)
    WHERE k.treatment <> 'clear'), '[]')
, c.image
, {model columns}
FROM imaged AS c
LEFT JOIN (
    SELECT *, threadline.numeric_columns(columns) AS numeric_columns
    FROM threadline.audited_tables
    OFFSET 0
) AS t ON t.id = c.table_id
LEFT JOIN threadline.audit_transactions AS x ON x.id = c.transaction_id
CROSS JOIN LATERAL threadline.populate(NULL::{table}, threadline.fill_excluded(c.table_id, c.image)) AS {row alias}
ORDER BY c.id DESC
