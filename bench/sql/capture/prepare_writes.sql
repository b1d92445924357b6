-- Prepares the statements with which a connection writes one row.
PREPARE insert_{table} (bigint) AS
INSERT INTO bench.{table} SELECT s.* FROM bench.source_{width} AS s WHERE s.id = $1;

PREPARE update_{table} (bigint, int, int) AS
UPDATE bench.{table} SET quantity = $3 WHERE id = $1;

PREPARE delete_{table} (bigint) AS
DELETE FROM bench.{table} WHERE id = $1;
