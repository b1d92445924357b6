-- Returns the generation expression of a column; NULL if it has none.
CREATE OR REPLACE FUNCTION threadline.generation_of(relation oid, column_number smallint) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off
BEGIN ATOMIC
    SELECT threadline.deparsed_expression(d.adbin, d.adrelid)
    FROM pg_attrdef AS d
    JOIN pg_attribute AS a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
    WHERE d.adrelid = relation AND d.adnum = column_number AND a.attgenerated <> '';
END;
