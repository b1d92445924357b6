INSERT INTO bench.{table} VALUES ({row}, 'row', 'status', 1.50, 1, 'a note of some length', '2026-01-01', true);
