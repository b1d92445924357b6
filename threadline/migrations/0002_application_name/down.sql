DROP TABLE threadline.purges;
DROP TABLE threadline.legal_holds;
ALTER TABLE threadline.audited_tables DROP COLUMN kept_since;
DROP TABLE threadline.retention;
ALTER TABLE threadline.unposted REPLICA IDENTITY DEFAULT;
ALTER TABLE threadline.journal REPLICA IDENTITY DEFAULT;
ALTER TABLE threadline.ledger_transactions DROP COLUMN application_name;
ALTER TABLE threadline.unposted DROP COLUMN application_name;
ALTER TABLE threadline.journal DROP COLUMN application_name;
