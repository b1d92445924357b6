-- The columns of an audited table whose values need every digit.
CREATE FUNCTION threadline.numeric_columns(columns jsonb) RETURNS text[]
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT coalesce(array_agg(c.name), '{}')
    FROM jsonb_to_recordset(columns) AS c (name text, type text)
    LEFT JOIN pg_type AS p ON p.oid = to_regtype(c.type)
    WHERE 'numeric'::regtype IN (p.oid, p.typbasetype) OR 'money'::regtype IN (p.oid, p.typbasetype);
END;
