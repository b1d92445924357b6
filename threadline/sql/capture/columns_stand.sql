-- threadline.columns_match(), declared immutable and called with constants alone, so
-- that PostgreSQL answers it once, when it plans what it stands in, and again after any
-- change of the relation, which has all plans that name its OID made anew.
CREATE FUNCTION threadline.columns_stand(relation oid, built_for jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN threadline.columns_match(relation, built_for);
