-- SQL that is true of the row called row_name that has a record key; by column,
-- so that the primary key's index serves.
CREATE FUNCTION threadline.key_condition(audited_table integer, record_key text, row_name text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT string_agg(
        format('%s.%I = %L::%s', row_name, k.name,
            CASE WHEN cardinality(t.key_columns) = 1 THEN record_key
                 ELSE threadline.json_array_or_null(record_key) ->> (k.position::integer - 1) END,
            k.type),
        ' AND ' ORDER BY k.position)
    FROM threadline.audited_tables AS t
    CROSS JOIN ROWS FROM (unnest(t.key_columns), unnest(t.key_types)) WITH ORDINALITY AS k (name, type, position)
    WHERE t.id = audited_table;
END;
