-- Returns the columns of a table, under today's names, whose changes alone are not recorded. A
-- revert leaves them as they are: what they were is not known.
CREATE OR REPLACE FUNCTION threadline.ignored_columns(audited_table integer) RETURNS text[]
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT coalesce(array_agg(now.name) FILTER (WHERE now.name IS NOT NULL), '{}')
    FROM threadline.audited_tables AS t
    CROSS JOIN LATERAL jsonb_array_elements_text(t.policy -> 'ignore') AS ignored (name)
    CROSS JOIN LATERAL threadline.renamed_column(threadline.renames_of(t.id), ignored.name, t.built_at) AS now (name)
    WHERE t.id = ignored_columns.audited_table;
END;
