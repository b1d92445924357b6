-- Whether a relation has a column after the one with a number. The catalog cache is
-- asked, not the catalog, which under REPEATABLE READ may show what was.
CREATE FUNCTION threadline.further_column(target regclass, last integer) RETURNS boolean
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_number integer := last;
    tl_name text;
BEGIN
    LOOP
        tl_number := tl_number + 1;
        tl_name := (pg_identify_object_as_address('pg_class'::regclass, target, tl_number)).object_names[3];
        IF tl_name IS NULL THEN
            RETURN false;
        ELSIF tl_name !~ '^\.{8}pg\.dropped\.' THEN
            RETURN true;
        END IF;
    END LOOP;
END
$$;
