-- Returns the columns of a relation as its catalog has them now. `bitwise` says that two values
-- are stored alike when = says so, which avoids a comparison of the stored bytes (numeric 1.0 =
-- 1.00, citext, floats and intervals are not; text is compared under collation "C"). Names come
-- through the catalog cache: under REPEATABLE READ the catalog itself may show names from before
-- a rename, and dropped columns. Virtual columns are left out: the row that a trigger sees has no
-- value of them.
CREATE OR REPLACE FUNCTION threadline.columns_of(target regclass)
RETURNS TABLE (number smallint, name text, type regtype, bitwise boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT a.attnum,
           (pg_identify_object_as_address('pg_class'::regclass, target, a.attnum)).object_names[3],
           a.atttypid::regtype,
           t.typtype = 'e'
           OR (a.atttypid IN (
                   'int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'bool'::regtype, 'uuid'::regtype,
                   'text'::regtype, 'varchar'::regtype, 'date'::regtype, 'timestamp'::regtype,
                   'timestamptz'::regtype, 'bytea'::regtype, 'oid'::regtype))
           -- Every value has the scale of the column.
           OR (a.atttypid = 'numeric'::regtype AND a.atttypmod <> -1)
    FROM pg_attribute AS a
    JOIN pg_type AS t ON t.oid = a.atttypid
    WHERE a.attrelid = target AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> 'v'
      AND has_column_privilege(target, a.attnum, 'SELECT') IS NOT NULL
    ORDER BY a.attnum;
END
$$;
