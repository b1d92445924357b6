-- Returns whether PostgreSQL, to plan a query of a table, may call a function that was written by
-- a role other than a superuser or the owner of the audit: the planner evaluates constants in the
-- expressions of indexes, statistics and partition keys with the rights of the caller.
CREATE OR REPLACE FUNCTION threadline.plans_foreign_code(target regclass) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    WITH relation AS (
        SELECT target::oid AS oid
        UNION
        SELECT p.relid FROM pg_partition_tree(target) AS p
    ), planned AS (
        SELECT 'pg_class'::regclass AS class, r.oid FROM relation AS r
        UNION ALL
        SELECT 'pg_class'::regclass, i.indexrelid FROM relation AS r JOIN pg_index AS i ON i.indrelid = r.oid
        UNION ALL
        SELECT 'pg_statistic_ext'::regclass, s.oid FROM relation AS r JOIN pg_statistic_ext AS s ON s.stxrelid = r.oid
    )
    SELECT EXISTS (
        SELECT
        FROM planned AS p
        JOIN pg_depend AS d ON d.classid = p.class AND d.objid = p.oid
        JOIN pg_roles AS author ON author.oid = CASE d.refclassid
            WHEN 'pg_proc'::regclass THEN (SELECT f.proowner FROM pg_proc AS f WHERE f.oid = d.refobjid)
            WHEN 'pg_operator'::regclass THEN (SELECT o.oprowner FROM pg_operator AS o WHERE o.oid = d.refobjid) END
        WHERE NOT author.rolsuper AND author.rolname <> current_user);
END;
