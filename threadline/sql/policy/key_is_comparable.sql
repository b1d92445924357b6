-- Whether every key column can be compared by `=` with PostgreSQL alone in the path:
-- an equality of a type that is not PostgreSQL's own is not looked up.
CREATE FUNCTION threadline.key_is_comparable(audited_table integer) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT bool_and(base.oid < 16384 OR base.typtype = 'e')
    FROM threadline.live_key(audited_table) AS k
    JOIN pg_type AS base ON base.oid = threadline.base_type(k.type::regtype);
END;
