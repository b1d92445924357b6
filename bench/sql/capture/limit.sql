-- The limit writes its rows under table ids of its own.
INSERT INTO threadline.audited_tables (
    schema_name, table_name, key_columns, key_types, policy, columns, masked_columns, numeric_columns,
    relation, fingerprint, capture_version)
SELECT 'bench', replace(table_name, 'ours', 'limit'), key_columns, key_types, policy, columns, masked_columns,
       numeric_columns, format('bench.%I', replace(table_name, 'ours', 'limit'))::regclass, fingerprint, capture_version
FROM threadline.audited_tables
WHERE schema_name = 'bench' AND table_name LIKE 'ours%';

-- An application keeps the id of its AuditTransaction in a variable; here it is the last
-- number of a sequence of its own.
CREATE SEQUENCE bench.limit_transactions START 1000000000000000;

-- Replaces positions, with numbers far above those that posting gives.
CREATE SEQUENCE bench.limit_positions START 1000000000000000;
