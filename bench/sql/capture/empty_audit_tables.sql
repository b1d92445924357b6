-- A second, empty pair of audit tables, to be put in the place of the full one.
CREATE SCHEMA bench_aside;
CREATE TABLE bench_aside.audit_transactions (LIKE threadline.audit_transactions INCLUDING ALL);
CREATE TABLE bench_aside.audit_changes (LIKE threadline.audit_changes INCLUDING ALL);
