-- Returns whether to_jsonb() may give one value for two different ones: for -0 and 0, and for
-- arrays that differ in their bounds.
CREATE OR REPLACE FUNCTION threadline.merges_values(type oid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT EXISTS (
        SELECT
        FROM pg_type AS base
        WHERE base.oid = threadline.base_type(merges_values.type)
          AND (base.oid IN ('float4'::regtype, 'float8'::regtype) OR base.typcategory = 'A' OR base.typtype = 'c'));
END;
