-- Counts the findings of threadline.structure_drift(); returns no row if there are none.
CREATE VIEW threadline.metrics_findings AS
SELECT f.code,
       CASE WHEN f.code IN ('columns-added', 'table-dropped') THEN 'info'
            WHEN f.code IN ('columns-outdated', 'partition-truncate-unseen', 'capture-outdated') THEN 'warning'
            ELSE 'error' END AS severity,
       f.relation,
       count(*) AS findings
FROM threadline.structure_drift() AS f
GROUP BY f.code, f.relation;
COMMENT ON VIEW threadline.metrics_findings IS
    'Faults of the audited tables, for a monitoring agent';
