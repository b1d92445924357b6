-- Returns the columns of an audited table that hold instants, under their present names or those
-- that its capture was built for; NULL if there are none. Written without joins, which would
-- become hash joins in its caller and read all columns of the database.
CREATE OR REPLACE FUNCTION threadline.instants_of(audited_table integer) RETURNS text[]
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT pg_catalog.array_agg(DISTINCT c.name)
    FROM (
        SELECT k.name
        FROM pg_catalog.jsonb_to_recordset((SELECT t.columns FROM threadline.audited_tables AS t WHERE t.id = audited_table)) AS k (name text, type text)
        WHERE k.type = 'timestamp with time zone'
        UNION ALL
        SELECT a.attname::text
        FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = (SELECT t.relation FROM threadline.audited_tables AS t WHERE t.id = audited_table)
          AND a.attnum > 0 AND NOT a.attisdropped
          AND threadline.base_type(a.atttypid) = 'pg_catalog.timestamptz'::pg_catalog.regtype
    ) AS c;
END;
