-- Columns that look secret, would be recorded as they are, and of which the policy of a
-- table without a model says nothing.
SELECT s.name AS column, k.name IS NOT NULL AS is_key
FROM threadline.secret_columns(to_regclass($1)) AS s
LEFT JOIN threadline.key_columns_of(to_regclass($1)) AS k ON k.name = s.name
WHERE s.name <> ALL ($2) AND (NOT $3 OR k.name IS NOT NULL)
ORDER BY s.number
