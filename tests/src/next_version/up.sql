ALTER TABLE threadline.ledger_changes ADD COLUMN made_up text;
ALTER TABLE threadline.audit_actions ADD COLUMN made_up text DEFAULT 'next';
ALTER TABLE threadline.journal ALTER COLUMN context SET STORAGE EXTERNAL;
CREATE TABLE threadline.made_up_rows (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    made_up text
);
DROP INDEX threadline.audit_actions_job;
CREATE INDEX audit_actions_job
    ON threadline.audit_actions (job_id, id) WHERE job_id IS NOT NULL;
CREATE INDEX ledger_changes_made_up
    ON threadline.ledger_changes (made_up) WHERE made_up IS NOT NULL;
