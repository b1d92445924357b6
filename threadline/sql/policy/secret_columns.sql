-- Returns the columns of a table whose names suggest a secret and whose types could hold one:
-- boolean and time columns cannot, and a number only if it could be a PIN or the like. A column
-- that refers to another table is judged by the name of the column that it refers to.
CREATE OR REPLACE FUNCTION threadline.secret_columns(target regclass) RETURNS TABLE (number smallint, name text)
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT c.number, c.name
    FROM threadline.columns_of(target) AS c
    WHERE threadline.looks_secret(c.name)
      AND CASE
          WHEN threadline.base_type(c.type) = ANY ('{bool,date,time,timetz,timestamp,timestamptz,interval}'::regtype[]) THEN false
          WHEN threadline.base_type(c.type) = ANY ('{int2,int4,int8,numeric,float4,float8}'::regtype[])
          THEN threadline.looks_secret(c.name, digits => true)
          ELSE true END
      AND NOT EXISTS (
          SELECT
          FROM pg_constraint AS k
          CROSS JOIN unnest(k.conkey, k.confkey) AS pair (number, referenced)
          JOIN pg_attribute AS a ON a.attrelid = k.confrelid AND a.attnum = pair.referenced
          WHERE k.conrelid = target AND k.contype = 'f' AND pair.number = c.number
            AND NOT threadline.looks_secret(a.attname::text))
    ORDER BY c.number;
END;
