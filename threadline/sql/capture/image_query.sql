-- Returns the query of threadline.row_image() for rows of a relation; NULL if there is no such
-- relation, as after a restore. Declared immutable and called only with constants, so that PostgreSQL
-- evaluates it when it plans, and again after any change of the relation, and not for every row.
CREATE OR REPLACE FUNCTION threadline.image_query(relation oid) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
BEGIN
    RETURN (SELECT 'SELECT ' || threadline.whole_image(c.oid::regclass, '($1)', exact => true) FROM pg_class AS c WHERE c.oid = relation);
END
$$;
