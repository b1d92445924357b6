-- The kept state of records whose changes were purged, in the form of changes: an insert
-- of the whole row, or an update if not all of it was on record.
CREATE VIEW threadline.kept_changes AS
SELECT k.id, k.transaction_id, k.captured_at, k.table_id, k.statement,
       CASE WHEN k.image IS NULL THEN 'D' WHEN k.is_whole THEN 'I' ELSE 'U' END::"char" AS op,
       k.record_key, NULL::text COLLATE "C" AS previous_key,
       NULL::jsonb AS changed_from,
       CASE WHEN NOT k.is_whole THEN k.image END AS changed_to,
       CASE WHEN k.is_whole THEN k.image END AS row_data
FROM threadline.kept_images AS k;
COMMENT ON VIEW threadline.kept_changes IS
    'The kept state of records whose changes were purged, in the form of changes';
