DROP INDEX threadline.audit_actions_job;
CREATE INDEX audit_actions_job
    ON threadline.audit_actions (job_id, transaction_id) WHERE job_id IS NOT NULL;
DROP TABLE threadline.made_up_rows;
ALTER TABLE threadline.journal ALTER COLUMN context SET STORAGE EXTENDED;
ALTER TABLE threadline.audit_actions DROP COLUMN made_up;
ALTER TABLE threadline.ledger_changes DROP COLUMN made_up;
