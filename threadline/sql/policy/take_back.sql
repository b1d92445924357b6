-- Revokes what threadline.hand_over() granted: the proof, or everything.
CREATE OR REPLACE FUNCTION threadline.take_back(target regclass, privileges text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_owner regrole := (SELECT nspowner FROM pg_namespace WHERE nspname = 'threadline');
BEGIN
    IF (SELECT relowner FROM pg_class WHERE oid = target) <> tl_owner THEN
        EXECUTE format('REVOKE %s ON %s FROM %s', CASE privileges WHEN 'all' THEN 'ALL' ELSE 'TRIGGER' END, target, tl_owner);
    END IF;
END
$$;
