-- Returns the type under a domain, through any number of nested domains; else the type itself.
CREATE OR REPLACE FUNCTION threadline.base_type(type oid) RETURNS oid
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_kind "char";
    tl_under oid;
BEGIN
    LOOP
        SELECT t.typtype, t.typbasetype INTO tl_kind, tl_under FROM pg_type AS t WHERE t.oid = type;
        IF tl_kind = 'd' THEN
            type := tl_under;
        ELSE
            -- NULL if it is not a type.
            RETURN CASE WHEN tl_kind IS NOT NULL THEN type END;
        END IF;
    END LOOP;
END
$$;
