DROP INDEX threadline.audit_actions_correlation;
DROP INDEX threadline.audit_actions_transaction;
DROP INDEX threadline.audit_transactions_correlation;
DROP INDEX threadline.audit_transactions_actor;
DROP INDEX threadline.audit_changes_transaction;
DELETE FROM threadline.schema_patches WHERE version = 5;
