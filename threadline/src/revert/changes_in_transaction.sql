SELECT count(*)
FROM threadline.audit_changes AS c
WHERE c.transaction_id = {0} AND NOT EXISTS (
    SELECT
    FROM threadline.audit_changes AS l
    WHERE l.transaction_id = {0} AND l.id = ANY ({1}) AND l.table_id = c.table_id
      AND ARRAY[l.record_key, l.previous_key] && ARRAY[c.record_key, c.previous_key])
