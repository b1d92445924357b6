-- For actions the table is NULL.
CREATE VIEW threadline.kept_for AS
SELECT t.id AS table_id, k.keep, now() - k.keep AS horizon
FROM threadline.audited_tables AS t
LEFT JOIN threadline.retention AS r ON true
CROSS JOIN LATERAL (SELECT greatest((t.policy ->> 'keep')::interval, r.floor) AS keep) AS k
WHERE t.policy ? 'keep'
UNION ALL
SELECT NULL, r.actions, now() - r.actions FROM threadline.retention AS r WHERE r.actions IS NOT NULL;
COMMENT ON VIEW threadline.kept_for IS
    'How long the changes of each table are kept, and the start of that period; no row: for ever';
