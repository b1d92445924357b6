-- An image made whole for a reader that wants every column: excluded columns
-- of text types get the placeholder '***', others stay away and read as NULL.
CREATE FUNCTION threadline.fill_excluded(audited_table integer, image jsonb) RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT coalesce(jsonb_object_agg(c.name, '***') FILTER (
               WHERE c.treatment = 'exclude' AND p.typcategory = 'S'), '{}') || image
    FROM threadline.audited_tables AS t
    CROSS JOIN jsonb_to_recordset(t.columns) AS c (name text, type text, treatment text)
    LEFT JOIN pg_type AS p ON p.oid = to_regtype(c.type)
    WHERE t.id = audited_table;
END;
