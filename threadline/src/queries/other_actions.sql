SELECT {action columns}
FROM (
    -- Actions without a transaction are ordered by time only.
    (SELECT a.*
    FROM threadline.audit_actions AS a
    WHERE a.transaction_id IS NULL
      AND {conditions}
      AND {time}
    ORDER BY a.occurred_at DESC, a.id DESC
    LIMIT {limit})
    UNION ALL
    (SELECT a.*
    FROM threadline.audit_actions AS a
    WHERE a.transaction_id >= {first} AND a.transaction_id < {before}
      AND {conditions}
      AND {linked}
    ORDER BY a.transaction_id DESC, a.id DESC
    LIMIT {limit})
) AS a
ORDER BY a.occurred_at DESC, a.id DESC
LIMIT {limit}
