DROP SCHEMA bench, bench_aside, textbook CASCADE;
DELETE FROM threadline.audited_tables WHERE schema_name = 'bench';
TRUNCATE threadline.audit_transactions, threadline.audit_changes;
