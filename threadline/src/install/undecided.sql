-- Columns whose names suggest a secret, that would be recorded as they are, and that the policy
-- of a table without a model does not name.
SELECT s.name AS column, k.name IS NOT NULL AS is_key
FROM threadline.secret_columns(to_regclass($1)) AS s
LEFT JOIN threadline.key_columns_of(to_regclass($1)) AS k ON k.name = s.name
WHERE s.name <> ALL ($2) AND (NOT $3 OR k.name IS NOT NULL)
ORDER BY s.number
