-- Returns the primary key of a relation, in key order; empty if it has none.
CREATE OR REPLACE FUNCTION threadline.key_columns_of(target regclass)
RETURNS TABLE (name text, type regtype)
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT a.attname::text, a.atttypid::regtype
    FROM pg_index AS i
    CROSS JOIN unnest(i.indkey::smallint[]) WITH ORDINALITY AS k (attnum, position)
    JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
    WHERE i.indrelid = target AND i.indisprimary AND k.position <= i.indnkeyatts
    ORDER BY k.position;
END;
