-- Returns whether all values in a row are of PostgreSQL's own types, or of composite types of such:
-- to_jsonb() gives such a row the image of threadline.whole_image(), which takes fifty times as long,
-- and calls no cast. A snapshot of an older catalog does not show which types a row has.
CREATE OR REPLACE FUNCTION threadline.holds_own_types(relation oid) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
BEGIN
    RETURN current_setting('transaction_isolation') = 'read committed' AND NOT EXISTS (
        SELECT
        FROM pg_attribute AS a
        WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped AND CASE
            WHEN a.attgenerated = 'v' THEN true
            WHEN a.atttypid < 16384 THEN a.atttypid IN ('json'::regtype, 'money'::regtype)
            ELSE NOT coalesce((SELECT threadline.holds_own_types(t.typrelid) FROM pg_type AS t WHERE t.oid = a.atttypid AND t.typtype = 'c'), false) END);
END
$$;
