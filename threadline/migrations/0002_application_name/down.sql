ALTER TABLE threadline.ledger_transactions DROP COLUMN application_name;
ALTER TABLE threadline.unposted DROP COLUMN application_name;
ALTER TABLE threadline.journal DROP COLUMN application_name;
