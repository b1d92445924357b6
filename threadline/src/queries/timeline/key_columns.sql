-- The position of a column in the keys of tables, and the form of a value there: in the present
-- keys, and in those that tables had before, each with the ids of its changes.
SELECT t.id, p.place, cardinality(k.columns),
       CASE cardinality(k.columns) WHEN 1 THEN bounded.value ELSE to_json(bounded.value)::text END,
       k.after, k.up_to
FROM threadline.audited_tables AS t
CROSS JOIN LATERAL (
    SELECT t.key_columns AS columns, t.key_types AS types,
           coalesce((t.former_keys -> -1 ->> 'last_id')::bigint, -1) AS after, 9223372036854775807 AS up_to
    UNION ALL
    SELECT f.columns, f.types, coalesce(lag(f.last_id) OVER (ORDER BY f.last_id), -1), f.last_id
    FROM jsonb_to_recordset(t.former_keys) AS f (columns text[], types text[], last_id bigint)
) AS k
CROSS JOIN LATERAL (SELECT array_position(k.columns, {0}) AS place) AS p
CROSS JOIN LATERAL (
    SELECT threadline.bounded_key(
        CASE WHEN k.types[p.place] = 'character' THEN rtrim({1}, ' ')
             ELSE threadline.canonical_part({1}, k.types[p.place], or_same => true) END,
        cardinality(k.columns)) AS value
) AS bounded
WHERE p.place IS NOT NULL AND (t.id = {2} OR {2} IS NULL)
ORDER BY t.id, k.up_to DESC
