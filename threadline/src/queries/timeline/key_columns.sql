-- The position of a column in the keys of tables, and the form of a value there.
SELECT t.id, p.place, cardinality(t.key_columns),
       CASE cardinality(t.key_columns) WHEN 1 THEN bounded.value ELSE to_json(bounded.value)::text END
FROM threadline.audited_tables AS t
CROSS JOIN LATERAL (SELECT array_position(t.key_columns, {0}) AS place) AS p
CROSS JOIN LATERAL (
    SELECT threadline.bounded_key(
        CASE WHEN t.key_types[p.place] = 'character' THEN rtrim({1}, ' ') ELSE {1} END,
        cardinality(t.key_columns)) AS value
) AS bounded
WHERE p.place IS NOT NULL AND (t.id = {2} OR {2} IS NULL)
