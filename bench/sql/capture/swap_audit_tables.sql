CREATE SCHEMA bench_passing;
ALTER TABLE threadline.audit_transactions SET SCHEMA bench_passing;
ALTER TABLE threadline.audit_changes SET SCHEMA bench_passing;
ALTER TABLE bench_aside.audit_transactions SET SCHEMA threadline;
ALTER TABLE bench_aside.audit_changes SET SCHEMA threadline;
ALTER TABLE bench_passing.audit_transactions SET SCHEMA bench_aside;
ALTER TABLE bench_passing.audit_changes SET SCHEMA bench_aside;
DROP SCHEMA bench_passing;
