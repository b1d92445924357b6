-- threadline.columns_match(), and, for what is captured by statement, that the table is
-- no partition. Declared immutable and called with constants alone, so that PostgreSQL
-- answers it once, when it plans what it stands in, and again after any change of the
-- relation, which has all plans that name its OID or read its rows made anew.
CREATE FUNCTION threadline.columns_stand(relation oid, built_for jsonb, by_statement boolean) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN threadline.columns_match(relation, built_for)
    AND NOT (by_statement AND pg_catalog.pg_partition_root(relation::pg_catalog.regclass) IS NOT NULL);
