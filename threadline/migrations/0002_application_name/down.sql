ALTER TABLE threadline.unposted REPLICA IDENTITY DEFAULT;
ALTER TABLE threadline.journal REPLICA IDENTITY DEFAULT;
ALTER TABLE threadline.ledger_transactions DROP COLUMN application_name;
ALTER TABLE threadline.unposted DROP COLUMN application_name;
ALTER TABLE threadline.journal DROP COLUMN application_name;
