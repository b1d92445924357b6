PREPARE vote_{variant} (bigint, bigint, int) AS
INSERT INTO bench.{variant}_votes VALUES ($1, $2, $3, now())
ON CONFLICT (person_id, post_id) DO UPDATE SET value = EXCLUDED.value, voted_at = EXCLUDED.voted_at;
