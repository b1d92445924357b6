-- The type under a domain, however many of them are on each other; else the type
-- itself.
CREATE FUNCTION threadline.base_type(type oid) RETURNS oid
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    WITH RECURSIVE under AS (
        SELECT t.oid, t.typtype, t.typbasetype FROM pg_type AS t WHERE t.oid = type
        UNION ALL
        SELECT t.oid, t.typtype, t.typbasetype FROM under JOIN pg_type AS t ON t.oid = under.typbasetype AND under.typtype = 'd'
    )
    SELECT u.oid FROM under AS u WHERE u.typtype <> 'd';
END;
