-- Returns the relation through which the owner of the audit may read the rows of a table: the
-- table itself, or the parent of a partition that was attached later without a grant. NULL if
-- there is none, or if a row-level policy or a function of another role would run with the rights
-- of the owner. The rows of a foreign partition are read with the rights of whoever writes, which
-- the owner does not have on the other server.
CREATE OR REPLACE FUNCTION threadline.readable(target regclass) RETURNS regclass
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT c.oid::regclass
    FROM (VALUES (target, 1), (pg_partition_root(target), 2)) AS candidate (relation, ordinal)
    JOIN pg_class AS c ON c.oid = candidate.relation
    WHERE c.relkind <> 'f'
      AND (candidate.ordinal = 1 OR NOT EXISTS (
          SELECT FROM pg_partition_tree(c.oid) AS p JOIN pg_class AS f ON f.oid = p.relid WHERE f.relkind = 'f'))
      AND has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(c.relnamespace, 'USAGE')
      AND (c.relowner = current_user::regrole OR NOT (row_security_active(c.oid) OR threadline.plans_foreign_code(c.oid)))
    ORDER BY candidate.ordinal
    LIMIT 1;
END;
