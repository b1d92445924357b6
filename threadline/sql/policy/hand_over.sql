-- Where the audit schema has an owner of its own: lets that owner read a table, for the rows that
-- a TRUNCATE removes, and grants it the right to create triggers, which proves that the caller
-- acts for the table's owner. Runs with the caller's rights, so that only a role that may grant
-- on the table can hand it over.
CREATE OR REPLACE FUNCTION threadline.hand_over(target regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_owner regrole := (SELECT nspowner FROM pg_namespace WHERE nspname = 'threadline');
    tl_class pg_class;
    tl_part regclass;
BEGIN
    SELECT * INTO STRICT tl_class FROM pg_class WHERE oid = target;
    IF tl_class.relowner = tl_owner THEN
        RETURN;
    END IF;
    EXECUTE format('GRANT TRIGGER ON %s TO %s', target, tl_owner);
    IF NOT has_schema_privilege(tl_owner, tl_class.relnamespace, 'USAGE') THEN
        BEGIN
            EXECUTE format('GRANT USAGE ON SCHEMA %s TO %s', tl_class.relnamespace::regnamespace, tl_owner);
        EXCEPTION WHEN insufficient_privilege THEN
            RAISE EXCEPTION 'threadline: role %, which owns the audit, may not use schema %', tl_owner, tl_class.relnamespace::regnamespace
                USING ERRCODE = 'insufficient_privilege',
                      HINT = format('Have its owner run: GRANT USAGE ON SCHEMA %s TO %s', tl_class.relnamespace::regnamespace, tl_owner);
        END;
    END IF;
    FOR tl_part IN
        SELECT target
        UNION
        SELECT p.relid FROM pg_partition_tree(target) AS p JOIN pg_class AS c ON c.oid = p.relid WHERE c.relkind IN ('r', 'p')
    LOOP
        IF NOT has_table_privilege(tl_owner, tl_part, 'SELECT') THEN
            EXECUTE format('GRANT SELECT ON %s TO %s', tl_part, tl_owner);
        END IF;
    END LOOP;
END
$$;
