SELECT named.relation IS NOT NULL AS exists,
       t.id IS NOT NULL AS audited,
       coalesce(
           t.policy = threadline.policy($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13),
           false) AS same_policy,
       coalesce(
           t.capture_version = threadline.capture_version()
           AND t.key_columns = ARRAY(SELECT name FROM threadline.key_columns_of(named.relation))
           AND 'columns-changed' <> ALL (drift.codes), false) AS same_capture,
       coalesce(drift.codes && '{columns-added,columns-outdated}', false) AS columns_added,
       CASE WHEN t.id IS NULL THEN false
            ELSE NOT EXISTS (SELECT FROM threadline.trigger_drift(t.id, named.relation)) END AS same_triggers
FROM (SELECT to_regclass($1) AS relation) AS named
LEFT JOIN threadline.audited_tables AS t ON t.id = threadline.audited_table_of(named.relation)
LEFT JOIN LATERAL (SELECT ARRAY(SELECT d.code FROM threadline.column_drift(t.id, named.relation) AS d) AS codes) AS drift ON t.id IS NOT NULL
