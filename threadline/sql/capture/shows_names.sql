-- Returns whether the text of a type's values is the name of an object, as of regclass: whether it has
-- a schema and quotes depends on the session. NULL if the type is not known. A type that contains
-- such a type, other than an array, is recorded by threadline.row_image(), which pins all settings.
CREATE OR REPLACE FUNCTION threadline.shows_names(type oid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    -- Future versions may have more of them.
    SELECT t.oid < 16384 AND t.typname ~ '^_?reg'
    FROM pg_type AS t
    WHERE t.oid = threadline.base_type(shows_names.type);
END;
