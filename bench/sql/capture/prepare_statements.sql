-- Prepares statements of one row that touch none, or either insert or update one.
PREPARE update_none_{variant} (bigint) AS
UPDATE bench.{variant}_8 SET quantity = 0 WHERE id = -$1;

PREPARE delete_none_{variant} (bigint) AS
DELETE FROM bench.{variant}_8 WHERE id = -$1;

PREPARE insert_none_{variant} (bigint) AS
INSERT INTO bench.{variant}_8 SELECT s.* FROM bench.source_8 AS s WHERE s.id = $1
ON CONFLICT (id) DO NOTHING;

-- Only the effect of these statements.
PREPARE insert_{variant} (bigint, int) AS
INSERT INTO bench.{variant}_8 SELECT s.* FROM bench.source_8 AS s WHERE s.id = $1;

PREPARE update_{variant} (bigint, int) AS
UPDATE bench.{variant}_8 SET quantity = $2 WHERE id = $1;

PREPARE upsert_{variant} (bigint, int) AS
INSERT INTO bench.{variant}_8 SELECT s.* FROM bench.source_8 AS s WHERE s.id = $1
ON CONFLICT (id) DO UPDATE SET quantity = $2;

PREPARE merge_{variant} (bigint, int) AS
MERGE INTO bench.{variant}_8 AS t
USING (SELECT $1 AS id, $2 AS quantity) AS s ON t.id = s.id
WHEN MATCHED THEN UPDATE SET quantity = s.quantity
WHEN NOT MATCHED THEN INSERT (id, quantity) VALUES (s.id, s.quantity);
