-- Takes the recorded history with it. To keep it, dump it first:
--   pg_dump --schema=threadline ...
DROP TABLE threadline.token_keys;
DROP TABLE threadline.session_suspensions;
DROP TABLE threadline.suspensions;
DROP TABLE threadline.audit_actions;
DROP TABLE threadline.ledger_changes;
DROP TABLE threadline.ledger_transactions;
DROP TABLE threadline.unposted;
DROP TABLE threadline.posting;
DROP TABLE threadline.journal;
DROP TABLE threadline.renamed_columns;
DROP TABLE threadline.audited_tables;
DROP TABLE threadline.watched_partitions;
DROP TABLE threadline.installed_code;
DROP TABLE threadline.schema_patches;
DROP SCHEMA threadline;
