-- Returns threadline.columns_match(). Declared immutable and called only with constants, so that
-- PostgreSQL evaluates it once, when it plans the query around it, and again after any change of
-- the relation, which rebuilds all plans that name its OID.
CREATE OR REPLACE FUNCTION threadline.columns_stand(relation oid, built_for jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN threadline.columns_match(relation, built_for);
