DROP INDEX threadline.audit_actions_category;
DROP INDEX threadline.audit_actions_request;
DROP INDEX threadline.audit_actions_correlation;
DROP INDEX threadline.audit_actions_job;
CREATE INDEX audit_actions_category
    ON threadline.audit_actions (category, transaction_id) WHERE transaction_id IS NOT NULL;
CREATE INDEX audit_actions_request
    ON threadline.audit_actions (request_id, transaction_id) WHERE request_id IS NOT NULL AND transaction_id IS NOT NULL;
CREATE INDEX audit_actions_correlation
    ON threadline.audit_actions (correlation_id, transaction_id) WHERE correlation_id IS NOT NULL AND transaction_id IS NOT NULL;
CREATE INDEX audit_actions_job
    ON threadline.audit_actions (job_id, transaction_id) WHERE job_id IS NOT NULL AND transaction_id IS NOT NULL;

COMMENT ON COLUMN threadline.journal.depth IS
    'Trigger depth at which the row was written; 1: by a statement of the client';
DROP INDEX threadline.ledger_transactions_nobody;
ALTER INDEX threadline.ledger_changes_table RESET (deduplicate_items);
ALTER INDEX threadline.ledger_changes_record RESET (deduplicate_items);
ALTER INDEX threadline.ledger_changes_removal RESET (deduplicate_items);
ALTER INDEX threadline.ledger_transactions_actor RESET (deduplicate_items);
ALTER INDEX threadline.ledger_transactions_actor_type RESET (deduplicate_items);
ALTER INDEX threadline.ledger_transactions_opened RESET (deduplicate_items);
ALTER INDEX threadline.ledger_transactions_xact RESET (deduplicate_items);
ALTER INDEX threadline.ledger_transactions_source RESET (deduplicate_items);
ALTER INDEX threadline.ledger_transactions_request RESET (deduplicate_items);
ALTER INDEX threadline.ledger_transactions_correlation RESET (deduplicate_items);
ALTER INDEX threadline.ledger_transactions_job RESET (deduplicate_items);
DROP INDEX threadline.audit_actions_occurred;
DROP INDEX threadline.audit_actions_alone;
DROP INDEX threadline.audit_actions_named;
DROP INDEX threadline.audit_actions_failure;
DROP INDEX threadline.audit_actions_actor;
DROP INDEX threadline.audit_actions_source;
ALTER TABLE threadline.audit_actions DROP COLUMN application_name;
ALTER TABLE threadline.audit_actions DROP COLUMN remote_ip;
ALTER TABLE threadline.audit_actions DROP COLUMN source;
DROP TABLE threadline.suspended_writes;
DROP TABLE threadline.known_partitions;
DROP TABLE threadline.altered_columns;
DROP TABLE threadline.erased_records;
DROP TABLE threadline.erasures;
ALTER TABLE threadline.audited_tables DROP COLUMN former_keys;
ALTER TABLE threadline.audited_tables DROP COLUMN personal_data;
DROP INDEX threadline.ledger_transactions_late;
DROP TABLE threadline.purges;
DROP TABLE threadline.legal_holds;
DROP TABLE threadline.moved_keys;
DROP TABLE threadline.kept_images;
ALTER TABLE threadline.audited_tables DROP COLUMN began_as;
ALTER TABLE threadline.audited_tables DROP COLUMN kept_since;
DROP TABLE threadline.retention;
ALTER TABLE threadline.unposted REPLICA IDENTITY DEFAULT;
ALTER TABLE threadline.journal REPLICA IDENTITY DEFAULT;
ALTER TABLE threadline.ledger_transactions DROP COLUMN application_name;
ALTER TABLE threadline.unposted DROP COLUMN application_name;
ALTER TABLE threadline.journal DROP COLUMN application_name;
