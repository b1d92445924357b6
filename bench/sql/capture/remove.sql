DROP SCHEMA bench, textbook, typed CASCADE;
DELETE FROM threadline.audited_tables WHERE schema_name = 'bench';
TRUNCATE threadline.journal, threadline.ledger_transactions, threadline.ledger_changes;
