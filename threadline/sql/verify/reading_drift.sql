-- Reports an audited table of which the owner of the audit can no longer read the rows, so that a
-- TRUNCATE would be recorded without them: see threadline.readable().
CREATE OR REPLACE FUNCTION threadline.reading_drift(audited_table integer, target regclass) RETURNS SETOF threadline.finding
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp
SET quote_all_identifiers = off AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM threadline.audited_tables AS t
        WHERE t.id = audited_table AND coalesce(t.policy -> 'operations' ? 'truncate', true)
    ) THEN
        RETURN;
    END IF;
    RETURN QUERY
    WITH reader AS (
        SELECT r.* FROM pg_namespace AS n JOIN pg_roles AS r ON r.oid = n.nspowner WHERE n.nspname = 'threadline'
    ), part AS (
        SELECT c.oid, c.relkind,
               has_schema_privilege(r.oid, c.relnamespace, 'USAGE') AS may_use,
               has_table_privilege(r.oid, c.oid, 'SELECT') AS may_read,
               c.relrowsecurity AND NOT (r.rolsuper OR r.rolbypassrls)
                   AND NOT (pg_has_role(r.oid, c.relowner, 'USAGE') AND NOT c.relforcerowsecurity) AS is_hidden
        FROM (
            SELECT target AS relation
            UNION
            SELECT p.relid FROM pg_partition_tree(target) AS p
        ) AS named
        JOIN pg_class AS c ON c.oid = named.relation AND c.relkind IN ('r', 'p')
        CROSS JOIN reader AS r
    )
    SELECT 'table-unreadable', target::text,
           CASE WHEN itself.may_use AND itself.may_read
                THEN format('row-level security hides rows of it from %I, which owns the audit, and would hide them from the record of a TRUNCATE', r.rolname)
                ELSE format('%I, which owns the audit, has no right to %s; of a TRUNCATE, no row would be recorded', r.rolname,
                    concat_ws(' and to ', CASE WHEN NOT itself.may_use THEN format('use schema %I', n.nspname) END,
                        CASE WHEN NOT itself.may_read THEN 'read it' END)) END,
           CASE WHEN itself.may_use AND itself.may_read THEN format('ALTER ROLE %I BYPASSRLS;', r.rolname)
                ELSE concat_ws(' ',
                    CASE WHEN NOT itself.may_use THEN format('GRANT USAGE ON SCHEMA %I TO %I;', n.nspname, r.rolname) END,
                    CASE WHEN NOT itself.may_read THEN format('GRANT SELECT ON %s TO %I;', target, r.rolname) END) END
    FROM part AS itself
    CROSS JOIN reader AS r
    JOIN pg_class AS c ON c.oid = itself.oid
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE itself.oid = target AND NOT (itself.may_use AND itself.may_read AND NOT itself.is_hidden)
      -- A partition is read by itself, or through the partitioned table.
      AND EXISTS (
          SELECT FROM part AS p WHERE p.relkind = 'r' AND NOT (p.may_use AND p.may_read AND NOT p.is_hidden));
END
$$;
