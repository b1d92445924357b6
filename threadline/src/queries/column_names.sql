-- The names that the columns of a table have and had, to read images of any time.
SELECT threadline.renames_of(t.id),
       threadline.alterations_of(t.id),
       now.names,
       now.names || noted.names || ARRAY(
           SELECT unnest(ARRAY[r.former_name, r.name]) FROM threadline.renamed_columns AS r WHERE r.table_id = t.id
           UNION ALL
           SELECT a.name FROM threadline.altered_columns AS a WHERE a.table_id = t.id),
       CASE WHEN threadline.unmasked() THEN ARRAY[]::text[]
            WHEN target.relation IS NULL THEN noted.excluded
            ELSE ARRAY(SELECT p.name FROM threadline.column_policy(t.id, target.relation) AS p WHERE p.column_policy = 'exclude') END
FROM threadline.audited_tables AS t
CROSS JOIN LATERAL (SELECT threadline.relation_of(t.id) AS relation OFFSET 0) AS target
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(k.name), ARRAY[]::text[]) AS names,
           coalesce(array_agg(k.name) FILTER (WHERE k.column_policy = 'exclude'), ARRAY[]::text[]) AS excluded
    FROM jsonb_to_recordset(CASE jsonb_typeof(t.columns) WHEN 'array' THEN t.columns END) AS k (name text, column_policy text)
) AS noted
CROSS JOIN LATERAL (
    -- Of a table that is no longer audited, the columns that it last had.
    SELECT CASE WHEN target.relation IS NULL THEN noted.names ELSE ARRAY(
        SELECT a.attname::text FROM pg_attribute AS a
        WHERE a.attrelid = target.relation AND a.attnum > 0 AND NOT a.attisdropped) END AS names
) AS now
WHERE t.id = {0}
