-- Returns the condition of the rows that a partition holds if it calls no foreign code; else
-- NULL.
CREATE OR REPLACE FUNCTION threadline.rows_of_partition(part regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
BEGIN ATOMIC
    SELECT CASE WHEN NOT EXISTS (
        SELECT
        FROM pg_partition_ancestors(part) AS a
        JOIN pg_partitioned_table AS p ON p.partrelid = a.relid
        WHERE a.relid <> part AND (
            p.partexprs IS NOT NULL OR p.partstrat = 'h'
            OR EXISTS (SELECT FROM unnest(p.partclass) AS c (oid) WHERE c.oid >= 16384)
            OR EXISTS (
                SELECT FROM unnest(p.partattrs) AS k (number)
                JOIN pg_attribute AS f ON f.attrelid = p.partrelid AND f.attnum = k.number
                WHERE f.atttypid >= 16384))
    ) THEN pg_get_partition_constraintdef(part) END;
END;
SELECT threadline.pin_settings('threadline.rows_of_partition(regclass)');
