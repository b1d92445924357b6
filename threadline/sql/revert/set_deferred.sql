-- Makes deferred constraints of tables take effect immediately, or makes them wait again as they
-- were declared.
CREATE OR REPLACE FUNCTION threadline.set_deferred(targets regclass[], deferred boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_constraints text;
BEGIN
    SELECT string_agg(DISTINCT format('%I.%I', n.nspname, k.conname), ', ') INTO tl_constraints
    FROM pg_constraint AS k
    JOIN pg_namespace AS n ON n.oid = k.connamespace
    WHERE k.condeferred AND (k.conrelid = ANY (targets) OR k.confrelid = ANY (targets));
    IF tl_constraints IS NOT NULL THEN
        EXECUTE format('SET CONSTRAINTS %s %s', tl_constraints, CASE WHEN deferred THEN 'DEFERRED' ELSE 'IMMEDIATE' END);
    END IF;
END
$$;
