(
    SELECT DISTINCT a.transaction_id AS id
    FROM threadline.audit_actions AS a
    WHERE a.transaction_id IS NOT NULL
      AND {action conditions}
    ORDER BY id DESC
) AS m
