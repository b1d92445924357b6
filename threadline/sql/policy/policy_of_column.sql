-- How a column is stored: plain, hash, mask or exclude. A generated column repeats
-- what it is made from, and is treated as the most secret of that.
CREATE OR REPLACE FUNCTION threadline.policy_of_column(target regclass, column_number smallint, policy jsonb) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    WITH source AS (
        SELECT a.attname::text AS name, a.attnum = column_number AS itself
        FROM pg_attribute AS a
        WHERE a.attrelid = target AND (
            a.attnum = column_number
            OR a.attnum IN (
                SELECT d.refobjsubid
                FROM pg_attrdef AS g
                JOIN pg_attribute AS generated ON generated.attrelid = g.adrelid AND generated.attnum = g.adnum
                JOIN pg_depend AS d ON d.classid = 'pg_attrdef'::regclass AND d.objid = g.oid
                WHERE g.adrelid = target AND g.adnum = column_number AND generated.attgenerated <> ''
                  AND d.refclassid = 'pg_class'::regclass AND d.refobjid = target))
    )
    SELECT coalesce((
        SELECT p.column_policy
        FROM source AS s
        JOIN threadline.column_policies(policy) AS p ON p.name = s.name
        WHERE p.column_policy <> 'plain'
        ORDER BY s.itself DESC, p.rank
        LIMIT 1), 'plain');
END;
