-- The tables in which a column got one of these names.
SELECT DISTINCT r.table_id FROM threadline.renamed_columns AS r
WHERE r.name IN (SELECT jsonb_array_elements_text({0}))
ORDER BY r.table_id
