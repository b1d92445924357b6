-- Returns the relation whose columns a capture function was built for, given one of its
-- partitions. `built_for` is its OID at that time; after a restore the OIDs differ, and the
-- partition's root is taken.
CREATE OR REPLACE FUNCTION threadline.audited_relation(target oid, built_for oid) RETURNS regclass
LANGUAGE sql STABLE
RETURN CASE
    WHEN target = built_for THEN target
    WHEN EXISTS (
        SELECT FROM pg_catalog.pg_partition_ancestors(target) AS ancestor WHERE ancestor.relid::pg_catalog.oid = built_for
    ) THEN built_for
    ELSE coalesce(pg_catalog.pg_partition_root(target)::pg_catalog.oid, target)
END::pg_catalog.regclass;
