-- The type under a domain, however many of them are on each other; else the type
-- itself. Asked for each column of a table several times; a function in SQL would be
-- planned each time.
CREATE FUNCTION threadline.base_type(type oid) RETURNS oid
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, threadline, pg_temp
AS $$
DECLARE
    tl_type oid := base_type.type;
    tl_kind "char";
    tl_under oid;
BEGIN
    LOOP
        SELECT t.typtype, t.typbasetype INTO tl_kind, tl_under FROM pg_type AS t WHERE t.oid = tl_type;
        IF tl_kind IS DISTINCT FROM 'd' THEN
            RETURN CASE WHEN FOUND THEN tl_type END;
        END IF;
        tl_type := tl_under;
    END LOOP;
END
$$;
