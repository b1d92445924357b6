-- The columns of a table that had other names: those that threadline.audit()
-- saw, and those renamed since, of which it has not been told.
CREATE FUNCTION threadline.renames_of(
    audited_table integer,
    OUT former_name text, OUT name text, OUT renamed_at timestamptz
) RETURNS SETOF record
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT r.former_name, r.name, r.renamed_at
    FROM threadline.renamed_columns AS r
    WHERE r.table_id = audited_table
    UNION ALL
    SELECT former.name, a.attname, 'infinity'
    FROM threadline.audited_tables AS t
    CROSS JOIN jsonb_to_recordset(t.columns) AS former (number smallint, name text)
    JOIN pg_attribute AS a ON a.attrelid = t.relation AND a.attnum = former.number AND NOT a.attisdropped
    WHERE t.id = audited_table AND a.attname <> former.name;
END;
