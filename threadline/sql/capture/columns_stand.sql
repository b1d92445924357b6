-- Is an audited table what it was when its capture was built: the same columns, and
-- no partition? Called in the queries of capture with constants alone, so that
-- PostgreSQL answers it once, when it plans them, and again after any change of
-- the table, which has it plan anew: being declared immutable makes that so.
CREATE FUNCTION threadline.columns_stand(audited_table integer, fingerprint text) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN coalesce((
    SELECT threadline.fingerprint(c.oid) = columns_stand.fingerprint AND NOT c.relispartition
    FROM pg_catalog.pg_trigger AS g
    JOIN pg_catalog.pg_class AS c ON c.oid = g.tgrelid
    WHERE g.tgfoid = pg_catalog.to_regproc('threadline.capture_' || audited_table) AND g.tgparentid = 0
      AND g.tgname = '!threadline_capture_' || audited_table
), false);
