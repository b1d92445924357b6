-- The columns of an audited table that hold instants, as they are called now or were
-- when its capture was built; NULL if there are none.
CREATE FUNCTION threadline.instants_of(audited_table integer) RETURNS text[]
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT pg_catalog.array_agg(DISTINCT c.name)
    FROM threadline.audited_tables AS t
    CROSS JOIN LATERAL (
        SELECT k.name FROM pg_catalog.jsonb_to_recordset(t.columns) AS k (name text, type text)
        WHERE k.type = 'timestamp with time zone'
        UNION ALL
        SELECT a.attname::text
        FROM pg_catalog.pg_attribute AS a
        JOIN pg_catalog.pg_type AS y ON y.oid = a.atttypid
        WHERE a.attrelid = t.relation AND a.attnum > 0 AND NOT a.attisdropped
          AND threadline.base_type(y.oid) = 'pg_catalog.timestamptz'::pg_catalog.regtype
    ) AS c
    WHERE t.id = audited_table;
END;
