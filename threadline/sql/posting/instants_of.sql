-- Returns the columns of an audited table that hold instants, under their present names or those
-- that its capture was built for; NULL if there are none. Written without joins, which would
-- become hash joins under the settings of its caller and read all columns of the database; in
-- PL/pgSQL, because an SQL function is planned for each call, which took a fifth of a call of
-- threadline.post() for one entry.
CREATE OR REPLACE FUNCTION threadline.instants_of(audited_table integer) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
BEGIN
    RETURN (
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
              -- None of these is a domain.
              AND CASE WHEN a.atttypid < 10000 THEN a.atttypid ELSE threadline.base_type(a.atttypid) END = 'pg_catalog.timestamptz'::pg_catalog.regtype
        ) AS c
    );
END
$$;
