-- Returns the columns of a relation as they are at this moment, for a write in progress: under
-- REPEATABLE READ its snapshot shows an older catalog, while PostgreSQL itself looks up the names
-- of a row's fields and the types of expressions in the current one. The type is unknown if the
-- caller has no access to its schema.
CREATE OR REPLACE FUNCTION threadline.present_columns(
    target regclass, OUT number smallint, OUT name text, OUT type regtype
) RETURNS SETOF record
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off AS $$
DECLARE
    tl_numbers smallint[] := '{}';
    tl_names text[] := '{}';
    tl_types regtype[];
BEGIN
    number := 1;
    LOOP
        name := (pg_identify_object_as_address('pg_class'::regclass, target, number)).object_names[3];
        EXIT WHEN name IS NULL;
        -- NULL for a dropped column.
        IF has_column_privilege(target, number, 'SELECT') IS NOT NULL THEN
            tl_numbers := tl_numbers || number;
            tl_names := tl_names || name;
        END IF;
        number := number + 1;
    END LOOP;
    BEGIN
        EXECUTE format('SELECT ARRAY[%s]::regtype[] FROM (SELECT NULL::%s AS tl_row) AS tl_rows',
            (SELECT string_agg(format('pg_typeof((tl_row).%I)', n.name), ', ' ORDER BY n.ordinality)
             FROM unnest(tl_names) WITH ORDINALITY AS n (name)), target)
        INTO tl_types;
    EXCEPTION WHEN insufficient_privilege THEN
        tl_types := '{}';
    END;
    RETURN QUERY
    SELECT c.number, c.name, c.type
    FROM ROWS FROM (unnest(tl_numbers), unnest(tl_names), unnest(tl_types)) AS c (number, name, type)
    -- A column is virtual from its creation, or never.
    WHERE c.number <> ALL (ARRAY(SELECT a.attnum FROM pg_attribute AS a WHERE a.attrelid = target AND a.attgenerated = 'v'));
END
$$;
