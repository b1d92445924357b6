-- SQL for a row called row_name of a transition table as one of the relation's row
-- type, which PostgreSQL takes it for in a trigger's row, and not there.
CREATE FUNCTION threadline.typed_row(target regclass, row_name text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT format('ROW(%s)::%s',
        (SELECT string_agg(format('%s.%I', row_name, c.name), ', ' ORDER BY c.number) FROM threadline.columns_of(target) AS c),
        t.reltype::regtype)
    FROM pg_class AS t
    WHERE t.oid = target;
END;
