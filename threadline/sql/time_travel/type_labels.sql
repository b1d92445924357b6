-- Returns the parts of a type's recorded values that a command can rename, by a stable
-- identifier: the labels of an enum by their OIDs, the attributes of a composite type by their
-- numbers. For a domain or an array, those of its base or element type. NULL for all other types.
CREATE OR REPLACE FUNCTION threadline.type_labels(type oid) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_type pg_type;
BEGIN
    IF type < 16384 THEN
        RETURN NULL;
    END IF;
    SELECT * INTO tl_type FROM pg_type AS t WHERE t.oid = threadline.base_type(type);
    IF tl_type.typcategory = 'A' THEN
        SELECT * INTO tl_type FROM pg_type AS t WHERE t.oid = threadline.base_type(tl_type.typelem);
    END IF;
    RETURN CASE tl_type.typtype
        WHEN 'e' THEN (SELECT jsonb_object_agg(e.oid, e.enumlabel) FROM pg_enum AS e WHERE e.enumtypid = tl_type.oid)
        WHEN 'c' THEN (
            SELECT jsonb_object_agg(a.attnum, a.attname)
            FROM pg_attribute AS a
            WHERE a.attrelid = tl_type.typrelid AND a.attnum > 0 AND NOT a.attisdropped)
    END;
END
$$;
