LEFT JOIN threadline.audited_tables AS t ON t.id = c.table_id
LEFT JOIN threadline.audit_transactions AS x ON x.id = c.transaction_id
-- What the policy hides now. One by one, so that an image with nothing to hide costs
-- nothing, and numbers are looked at in the query itself.
CROSS JOIN LATERAL (
    SELECT (SELECT threadline.hidings()) -> c.table_id::text AS hiding OFFSET 0
) AS hidden
CROSS JOIN LATERAL (
    SELECT CASE WHEN hidden.hiding IS NULL THEN c.changed_from ELSE threadline.shown_image(c.changed_from, hidden.hiding, c.captured_at) END AS changed_from,
           CASE WHEN hidden.hiding IS NULL THEN c.changed_to ELSE threadline.shown_image(c.changed_to, hidden.hiding, c.captured_at) END AS changed_to,
           CASE WHEN hidden.hiding IS NULL THEN c.row_data ELSE threadline.shown_image(c.row_data, hidden.hiding, c.captured_at) END AS row_data
    OFFSET 0
) AS shown
