-- What an operator asks by. Changes of a transaction are found through it, so
-- that who and what for need an index on the small tables only.
CREATE INDEX audit_changes_transaction
    ON threadline.audit_changes (transaction_id, id);
CREATE INDEX audit_transactions_actor
    ON threadline.audit_transactions (actor_type, actor_id, id);
CREATE INDEX audit_transactions_correlation
    ON threadline.audit_transactions (correlation_id, id) WHERE correlation_id IS NOT NULL;
CREATE INDEX audit_actions_transaction
    ON threadline.audit_actions (transaction_id, id) WHERE transaction_id IS NOT NULL;
CREATE INDEX audit_actions_correlation
    ON threadline.audit_actions (correlation_id, id) WHERE correlation_id IS NOT NULL;

INSERT INTO threadline.schema_patches (version) VALUES (5);
