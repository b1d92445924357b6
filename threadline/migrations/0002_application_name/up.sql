ALTER TABLE threadline.journal ADD COLUMN application_name text;
ALTER TABLE threadline.unposted ADD COLUMN application_name text;
ALTER TABLE threadline.ledger_transactions ADD COLUMN application_name text;
COMMENT ON COLUMN threadline.journal.application_name IS
    'The setting application_name, in the first entry under a context';
COMMENT ON COLUMN threadline.ledger_transactions.application_name IS
    'The setting application_name of the session; NULL: it was empty, or recorded before version 2 of the audit schema';
-- A publication FOR ALL TABLES would refuse to let posting delete from a table without one.
ALTER TABLE threadline.journal REPLICA IDENTITY FULL;
ALTER TABLE threadline.unposted REPLICA IDENTITY FULL;
