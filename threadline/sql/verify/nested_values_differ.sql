-- Returns whether two recorded values of a column of a composite type, or of one that contains
-- composite types, cannot be the same value. ALTER TYPE changes what is shown of a row without a
-- write to it: an attribute that came since is NULL, and one that was renamed or dropped is not
-- compared, nor is a label of an enum that has another name now. `one` was recorded before `other`.
CREATE OR REPLACE FUNCTION threadline.nested_values_differ(one jsonb, other jsonb, type oid) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, threadline, pg_temp AS $$
DECLARE
    tl_type pg_type;
    tl_kinds text[] := ARRAY[jsonb_typeof(one), jsonb_typeof(other)];
BEGIN
    IF one = other THEN
        RETURN false;
    END IF;
    SELECT * INTO tl_type FROM pg_type AS t WHERE t.oid = threadline.base_type(type);
    IF tl_kinds = '{array,array}' AND tl_type.typsubscript = 'array_subscript_handler'::regproc THEN
        IF jsonb_array_length(one) <> jsonb_array_length(other) THEN
            RETURN true;
        END IF;
        -- An array of several dimensions has arrays as elements.
        RETURN EXISTS (
            SELECT
            FROM ROWS FROM (jsonb_array_elements(one), jsonb_array_elements(other)) AS e (one, other)
            WHERE threadline.nested_values_differ(e.one, e.other, CASE
                WHEN jsonb_typeof(e.one) = 'array' THEN tl_type.oid ELSE tl_type.typelem END));
    ELSIF tl_type.typtype = 'c' AND tl_kinds = '{object,object}' THEN
        RETURN EXISTS (
            SELECT
            FROM pg_attribute AS a
            WHERE a.attrelid = tl_type.typrelid AND a.attnum > 0 AND NOT a.attisdropped AND CASE
                -- It may have come for a dropped attribute of its name.
                WHEN one ? a.attname AND other -> a.attname = 'null' AND EXISTS (
                    SELECT FROM pg_attribute AS d WHERE d.attrelid = a.attrelid AND d.attnum > 0 AND d.attnum < a.attnum AND d.attisdropped)
                    THEN false
                WHEN one ? a.attname AND other ? a.attname
                    THEN threadline.nested_values_differ(one -> a.attname, other -> a.attname, a.atttypid)
                WHEN other ? a.attname AND other -> a.attname <> 'null'
                    -- It has the value of an attribute that was renamed, perhaps.
                    THEN NOT EXISTS (
                        SELECT
                        FROM jsonb_object_keys(one) AS former (name)
                        WHERE former.name NOT IN (
                            SELECT f.attname FROM pg_attribute AS f
                            WHERE f.attrelid = tl_type.typrelid AND f.attnum > 0 AND NOT f.attisdropped))
                ELSE false END);
    ELSIF tl_kinds <> '{string,string}' THEN
        RETURN threadline.values_differ(one, other, tl_type.oid IN ('json'::regtype, 'jsonb'::regtype));
    ELSIF tl_type.typtype = 'e' THEN
        RETURN EXISTS (SELECT FROM pg_enum AS e WHERE e.enumtypid = tl_type.oid AND e.enumlabel = one #>> '{}');
    ELSIF tl_type.typtype IN ('r', 'm') THEN
        -- A cast could call a function of the type's owner.
        RETURN NOT EXISTS (
            SELECT
            FROM pg_range AS r
            JOIN pg_type AS bound ON bound.oid = threadline.base_type(r.rngsubtype) AND bound.typtype = 'e'
            CROSS JOIN LATERAL regexp_split_to_table(one #>> '{}', '[][(){},"]+') AS label
            WHERE tl_type.oid IN (r.rngtypid, r.rngmultitypid) AND label NOT IN ('', 'empty')
              AND NOT EXISTS (SELECT FROM pg_enum AS e WHERE e.enumtypid = bound.oid AND e.enumlabel = label));
    END IF;
    RETURN threadline.values_differ(one, other, tl_type.oid IN ('json'::regtype, 'jsonb'::regtype));
END
$$;
