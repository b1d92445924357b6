-- The audited tables that a scope names, as [[place, name], ...].
SELECT given.place::integer, t.id, t.schema_name, t.table_name, t.key_columns
FROM jsonb_array_elements_text({0}) WITH ORDINALITY AS given (name, place)
-- Looked up once for each name, not for each pair of a name and a table.
CROSS JOIN LATERAL (SELECT threadline.find_audited_table(given.name) AS id OFFSET 0) AS found
JOIN threadline.audited_tables AS t ON t.id = found.id
ORDER BY given.place
