-- One row of numbers for a monitoring agent; see threadline.counters().
CREATE VIEW threadline.metrics AS
SELECT (SELECT max(v.version) FROM threadline.schema_versions AS v) AS schema_version,
       c.audited_tables,
       (SELECT coalesce(max(x.position), 0) FROM threadline.ledger_changes AS x) AS changes_total,
       c.entries_waiting,
       coalesce(extract(epoch FROM clock_timestamp() - c.oldest_waiting), 0)::double precision AS oldest_waiting_seconds,
       extract(epoch FROM clock_timestamp() - c.last_posting)::double precision AS last_posting_seconds,
       c.entries_set_aside,
       c.changes_last_day,
       c.bytes_last_day,
       c.ledger_bytes,
       c.recent_transactions,
       c.unattributed_transactions,
       extract(epoch FROM clock_timestamp() - c.oldest_change)::double precision AS oldest_change_seconds
FROM threadline.counters() AS c;
COMMENT ON VIEW threadline.metrics IS
    'The state of the audit, in numbers for a monitoring agent';
