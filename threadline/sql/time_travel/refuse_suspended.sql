-- Fails if rows of a table were written after an instant while capture was suspended: no record
-- shows which rows existed before, and with which values.
CREATE OR REPLACE FUNCTION threadline.refuse_suspended(audited_table integer, target regclass, instant timestamptz) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
BEGIN
    IF (SELECT s.ends_later FROM threadline.suspended_around(audited_table, instant) AS s) THEN
        RAISE EXCEPTION USING
            CONSTRAINT = 'threadline_incomplete',
            MESSAGE = format('threadline: rows of %s were written since %s while capture was suspended', target, instant),
            HINT = 'Query single records, or an instant after the next SELECT threadline.post() that follows these writes.';
    END IF;
END
$$;
