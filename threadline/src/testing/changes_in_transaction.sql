SELECT
{change columns}
FROM (
    SELECT changes.*
    FROM threadline.audit_transactions AS opened
    JOIN threadline.audit_changes AS changes ON changes.transaction_id = opened.id
    -- Transaction ids start again after a restore.
    WHERE opened.xact_id = {0}::xid8 AND opened.occurred_at = now()
      AND changes.id > {1}
) AS c
{change tables}
ORDER BY c.id
