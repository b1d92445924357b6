-- Returns the full transaction id for a 32-bit id, as rows and locks have it: the one nearest to
-- the present ids.
CREATE OR REPLACE FUNCTION threadline.full_xid(id xid) RETURNS xid8
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT (now.id + 2147483648 - (now.id + 6442450944 - full_xid.id::text::numeric) % 4294967296)::text::xid8
    FROM (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::numeric AS id) AS now;
END;
