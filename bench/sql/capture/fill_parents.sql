INSERT INTO bench.{variant}_parents
SELECT * FROM bench.source_8 WHERE id <= {parents};

INSERT INTO bench.{variant}_children
SELECT id, name, status, amount, quantity, note, updated_at, active, (id - 1) / 10 + 1
FROM bench.source_8
WHERE id <= {parents} * 10;
