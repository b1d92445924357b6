-- The audited tables that a scope names, as [[place, name], …].
SELECT given.place::integer, t.id, t.schema_name, t.table_name, t.key_columns
FROM jsonb_array_elements_text({0}) WITH ORDINALITY AS given (name, place)
JOIN threadline.audited_tables AS t ON t.id = threadline.find_audited_table(given.name)
ORDER BY given.place
