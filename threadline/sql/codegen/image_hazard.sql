-- Returns SQL that is true of a row called row_name that may have values without a form in jsonb,
-- for which threadline.row_image() is needed; NULL if the table has no such rows: only lists of
-- json have other limits than jsonb, and only rows stored out of line can be too large for it.
CREATE OR REPLACE FUNCTION threadline.image_hazard(target regclass, row_name text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT string_agg(hazard.sql, ' OR ')
    FROM (
        SELECT format('pg_column_size(%s.*) > 100000', row_name) AS sql
        WHERE EXISTS (
            SELECT FROM pg_class AS c
            WHERE (c.oid = target OR c.oid IN (SELECT p.relid FROM pg_partition_tree(target) AS p))
              AND CASE WHEN c.reltoastrelid <> 0 THEN pg_relation_size(c.reltoastrelid) > 0 END)
        UNION ALL
        SELECT format('%s.%I IS DISTINCT FROM NULL', row_name, c.name)
        FROM threadline.present_columns(target) AS c
        JOIN pg_type AS list ON list.oid = threadline.base_type(c.type)
        WHERE list.typsubscript = 'array_subscript_handler'::regproc AND threadline.base_type(list.typelem) = 'json'::regtype
    ) AS hazard;
END;
