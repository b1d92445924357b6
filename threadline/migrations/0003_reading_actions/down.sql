DROP INDEX threadline.audit_actions_name;
DROP INDEX threadline.audit_actions_category;
DROP INDEX threadline.audit_actions_failed;
DROP INDEX threadline.audit_actions_request;
DROP INDEX threadline.audit_actions_correlation;
DROP INDEX threadline.audit_actions_job;
CREATE INDEX audit_actions_name
    ON threadline.audit_actions (name, transaction_id) WHERE transaction_id IS NOT NULL;
CREATE INDEX audit_actions_category
    ON threadline.audit_actions (category, transaction_id) WHERE transaction_id IS NOT NULL;
CREATE INDEX audit_actions_failed
    ON threadline.audit_actions (status, transaction_id) WHERE transaction_id IS NOT NULL AND status <> 'ok';
CREATE INDEX audit_actions_request
    ON threadline.audit_actions (request_id, transaction_id) WHERE request_id IS NOT NULL AND transaction_id IS NOT NULL;
CREATE INDEX audit_actions_correlation
    ON threadline.audit_actions (correlation_id, transaction_id) WHERE correlation_id IS NOT NULL AND transaction_id IS NOT NULL;
CREATE INDEX audit_actions_job
    ON threadline.audit_actions (job_id, transaction_id) WHERE job_id IS NOT NULL AND transaction_id IS NOT NULL;

DROP INDEX threadline.audit_actions_occurred;
DROP INDEX threadline.audit_actions_alone;
DROP INDEX threadline.audit_actions_actor;
ALTER TABLE threadline.audit_actions DROP COLUMN remote_ip;
ALTER TABLE threadline.audit_actions DROP COLUMN source;
