-- Returns the generated columns of a table that are made from some of its columns.
CREATE OR REPLACE FUNCTION threadline.generated_from(target regclass, columns text[]) RETURNS text[]
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT coalesce(array_agg(DISTINCT made.attname::text), '{}')
    FROM pg_attribute AS made
    JOIN pg_attrdef AS g ON g.adrelid = made.attrelid AND g.adnum = made.attnum
    JOIN pg_depend AS d ON d.classid = 'pg_attrdef'::regclass AND d.objid = g.oid AND d.refclassid = 'pg_class'::regclass AND d.refobjid = made.attrelid
    JOIN pg_attribute AS source ON source.attrelid = made.attrelid AND source.attnum = d.refobjsubid
    WHERE made.attrelid = target AND made.attgenerated <> '' AND NOT made.attisdropped
      AND source.attnum <> made.attnum AND source.attname::text = ANY (columns);
END;
